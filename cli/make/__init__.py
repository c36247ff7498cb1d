"""Verbs of those who make bundles: prepare, train, distill, calibrate, search, build."""
