"""Tuning, training, evaluation, tracking and reporting."""
