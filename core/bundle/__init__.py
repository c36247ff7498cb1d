"""What a bundle holds: its manifest, its weights, and how their numbers are stored."""
