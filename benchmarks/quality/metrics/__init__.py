"""What a restored clip is scored by: `scores.py` lists every metric, the rest are some of them."""
