"""Scores from histograms and counts."""
