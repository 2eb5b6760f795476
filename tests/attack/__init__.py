"""A campaign of hostile inputs against a real gunicorn: `make attack`."""
