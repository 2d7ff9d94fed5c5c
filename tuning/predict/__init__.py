"""From a scene to probability, mask, polygons and picture."""
