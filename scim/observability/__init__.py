"""Logs, metrics and redaction; takes plain values, no Flask."""
