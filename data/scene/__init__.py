"""The input of a map: a datacube, GeoTIFFs or a mosaic of tiles, read window by window."""
