"""A peer for comparison: scim2-server's in-memory WSGI application (one worker: its storage lives in the process)."""

from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from scim2_server.utils import load_default_provider

app = WSGIApplication(InMemoryStorage(), load_default_provider())
BASE = "/v2"
