"""An identity provider on a laptop: provisions any SCIM server by URL as Okta does. Reads nothing of Perch."""
