"""A peer: scim2-server's WSGI application over its own in-memory storage, so with one worker."""

from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from scim2_server.utils import load_default_provider

app = WSGIApplication(InMemoryStorage(), load_default_provider())
