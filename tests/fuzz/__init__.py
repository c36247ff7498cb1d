"""Fuzzers of everything that reads files which somebody else may have written.

    python -m tests.fuzz                              # every target, a short run of each
    python -m tests.fuzz manifest golden --executions 100000 --out fuzz.json

A target is a few lines in `targets.py`: files that are valid, and the function that reads one. An
outcome is right where the function returns or raises the error that the target names, in one
sentence, within memory bounded by the file. Anything else, the end of the process included, is a
finding, and its file is kept below `--findings`. With `pip install -e '.[fuzz]'`
atheris guides the inputs by the lines of Python they reach; without it, or with `--blind`, the same
mutations are drawn blindly.
"""
