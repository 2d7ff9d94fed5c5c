"""GeoTIFFs as a scene: what their names mean, the table of dates and bands, and their mosaic."""
