"""The picture of a map: preview, legend, figure."""
