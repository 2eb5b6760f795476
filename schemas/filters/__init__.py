"""Filters: parser, nodes, binding to a resource type, evaluation (RFC 7644 section 3.4.2.2)."""
