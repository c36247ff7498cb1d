"""Behind single figures and choices; for whoever has the clone, not in the wheel."""
