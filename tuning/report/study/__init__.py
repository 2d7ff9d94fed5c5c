"""Sections on how each model was searched and trained: chosen values, learning curves, runs, cost of computing."""
