"""What happens to speech on its way to a restorer, on tensors: every batch anew."""
