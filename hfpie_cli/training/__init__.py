"""Training: recipes, losses, the loop, and the folder that keeps a run."""
