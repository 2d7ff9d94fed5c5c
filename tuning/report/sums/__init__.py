"""A run's results as sums over tiles, and what follows from them without MLflow, torch or a page."""
