"""What applications are told of changes: polled or pushed, as JSON or as security event tokens."""
