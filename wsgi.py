"""The WSGI entry: flask, granian and gunicorn find the application here."""

from app.factory import create_app

app = create_app()
