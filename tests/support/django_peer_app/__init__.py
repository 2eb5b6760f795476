"""The Django application of the peer's users and groups."""
