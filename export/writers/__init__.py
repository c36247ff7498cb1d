"""One file per format: a component becomes a file, which is read back."""
