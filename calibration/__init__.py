"""How numbers become small: captured inputs, integers, sensitivities, mixed precision."""
