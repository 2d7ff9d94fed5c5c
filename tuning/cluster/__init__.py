"""The Ray session: nodes, resources, preflight checks."""
