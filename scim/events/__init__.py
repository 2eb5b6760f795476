"""Applications learn of changes through events: they poll, or webhooks push; JSON, or security event tokens."""
