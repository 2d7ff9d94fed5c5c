"""Loads found acquisitions into one datacube of gamma nought in dB, chunk by chunk, with the heights beside it."""
