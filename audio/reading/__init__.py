"""Samples out of files, block by block, whatever the file claims."""
