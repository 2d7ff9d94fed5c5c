"""Scores from histograms, the bootstrap, the comparison of models."""
