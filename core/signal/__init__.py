"""Signals on NumPy: rates, chunks, spectra, loudness, noise, and how near two of them are."""
