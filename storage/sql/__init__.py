"""SQL text for filters, columns and orders."""
