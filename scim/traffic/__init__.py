"""The recorder of requests and answers, its replay, and what people read of it."""
