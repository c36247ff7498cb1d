"""Speech by the terabyte: clips in, clips with their scores out, by many workers."""
