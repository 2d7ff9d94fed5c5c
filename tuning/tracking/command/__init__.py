"""What the command `python -m tuning.tracking` does."""
