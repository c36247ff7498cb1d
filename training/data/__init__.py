"""Recordings on disk or in packages, and what is prepared of them once: targets, codecs, caches."""
