"""From speech to weights: stages, their losses, and the loop that resumes to the step."""
