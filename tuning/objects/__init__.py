"""Landslides as objects: matching, mosaics, outlines; scores by terrain and by size."""
