"""Core ML programs executed without Core ML: one function per operation."""
