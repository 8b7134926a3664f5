"""Package selection."""
