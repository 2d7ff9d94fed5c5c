"""Registered models: versions, gate, aliases, model card."""
