"""What a SCIM document is: attributes, resource types, filters and messages (RFC 7643, RFC 7644); no I/O."""
