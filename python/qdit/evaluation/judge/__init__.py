"""Package evaluation/judge."""
