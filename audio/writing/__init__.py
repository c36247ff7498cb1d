"""Samples into files: whole, at one level, with the tags of where they came from."""
