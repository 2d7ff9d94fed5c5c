"""Parts that several networks share; no module here is an architecture."""
