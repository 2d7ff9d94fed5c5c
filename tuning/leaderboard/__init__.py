"""One static page from the bundles of many campaigns: rows, and verdicts between those that are comparable."""
