"""Detectors that ask how far an image is from what those before the event let expect: DIST-S1's transformer, Mahalanobis."""
