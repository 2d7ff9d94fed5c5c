"""Methods that train no network, tuned on val: changes, detectors, learning from pixels and windows, a leak probe."""
