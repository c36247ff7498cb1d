"""What goes into a quantizer: inputs of every part, captured from real audio (not built yet)."""
