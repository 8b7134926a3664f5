"""Package selection/graph."""
