"""The landslides of a map: outlines, what was measured at each, how far to trust it."""
