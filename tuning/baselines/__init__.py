"""Methods without a network, tuned on val: changes, learning from pixels and windows, a leak probe."""
