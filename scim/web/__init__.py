"""The SCIM side of Flask: blueprints, hooks, authentication, requests in, responses out."""
