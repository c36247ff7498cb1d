"""Speech prepared once, and damaged anew in every step."""
