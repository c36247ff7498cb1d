"""After a FAIL: the first operation that goes wrong, and files that show it."""
