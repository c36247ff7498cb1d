"""Few-step students of the denoiser."""
