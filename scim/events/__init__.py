"""What applications are told: the outbox's events, asked for or pushed, plain or as security event tokens."""
