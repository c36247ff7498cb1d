"""Results as tables and pages: one file per kind of result."""
