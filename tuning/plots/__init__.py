"""Figures of trials and comparisons (matplotlib only)."""
