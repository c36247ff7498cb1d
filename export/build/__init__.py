"""A bundle from weights: planned, written, held against PyTorch, listed by hash."""
