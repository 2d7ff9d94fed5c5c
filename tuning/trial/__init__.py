"""One trial's config, key, folder and stage."""
