"""Audio files in and out: what people have, block by block, and back in the form they want it."""
