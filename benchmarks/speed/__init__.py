"""How fast and in how much memory: contestants in turns, in processes of their own."""
