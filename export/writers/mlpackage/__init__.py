"""What is done to a Core ML package after its converter."""
