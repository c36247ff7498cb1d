"""What is measured of quality and speed: results as JSON, and tables drawn from them."""
