"""Sections on how and where models err: confusion matrices, and maps of the errors."""
