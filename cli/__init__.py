"""The command line: one file per verb, which parses, calls a room and tells the result."""
