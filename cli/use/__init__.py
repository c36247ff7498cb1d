"""Verbs of those who restore: files in and out, and what is installed."""
