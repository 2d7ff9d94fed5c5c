"""Rerun of one logged trial."""
