"""One abstract suite for each provider seam; every provider's own tests subclass it."""
