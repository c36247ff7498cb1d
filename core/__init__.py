"""What every room shares, on NumPy: a model's declaration, and the restorer around it."""
