"""The service: one function for each thing that a caller can ask; no Flask."""
