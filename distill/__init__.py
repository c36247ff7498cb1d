"""Few-step students of the denoiser (not built yet)."""
