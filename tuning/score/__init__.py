"""Scores probabilities that another program made, as a foreign row beside a campaign's own models."""
