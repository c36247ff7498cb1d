"""Open speech enhancers whose weights come in packages: rows to compare with."""
