"""The console: an administrator's web pages, rendered on the server, on top of the same services as SCIM."""

from scim.console.pages import register

__all__ = ["register"]
