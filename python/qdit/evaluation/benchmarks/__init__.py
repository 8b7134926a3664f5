"""Package evaluation/benchmarks."""
