"""The Flask application: a small core, one folder per feature, enforced floors."""
