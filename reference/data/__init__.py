"""Speech, noise and rooms: read, prepared once, and damaged afresh for every batch."""
