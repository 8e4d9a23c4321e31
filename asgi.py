"""The ASGI entry, which `make run` and the service start: wsgi.py behind a door for waiters."""

import os

from app.core.admitted import ADMISSION
from app.core.door import Door
from app.core.headers import headers_for
from wsgi import app as application

app = Door(
    application, threads=int(os.environ.get("THREADS", "256")),
    admission=application.extensions[ADMISSION],
    headers=headers_for(application.extensions["wangge_settings"].public_url),
)  # fmt: skip
