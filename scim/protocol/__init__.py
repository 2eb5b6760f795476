"""The rules of RFC 7643, RFC 7644 and RFC 9865 on plain data: no Flask, no database."""
