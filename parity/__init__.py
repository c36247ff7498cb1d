"""One gate: every artifact on every engine against the PyTorch reference."""
