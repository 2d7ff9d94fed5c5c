"""A map from a place and a time: the scene is found and loaded first."""
