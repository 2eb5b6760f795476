"""Okta on a laptop: what Okta's SCIM client does, against any SCIM server by URL; no part of the service."""
