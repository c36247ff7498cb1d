"""Engines that run a bundle's files, one file each, and the restorer over any of them."""
