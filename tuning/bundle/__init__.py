"""A campaign's results in one file from which others recompute its ranking: made, read and verified."""
