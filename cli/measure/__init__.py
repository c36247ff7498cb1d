"""Verbs that measure: quality, steps, speed, pictures, parity."""
