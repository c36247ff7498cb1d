"""The networks, and their spectra, in PyTorch."""
