"""How restored speech sounds: damaged clips, systems side by side, metrics."""
