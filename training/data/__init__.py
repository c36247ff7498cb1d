"""Recordings on disk, and what is prepared of them once: targets, speeds, codecs, a cache."""
