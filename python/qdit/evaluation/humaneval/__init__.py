"""Package evaluation/humaneval."""
