"""Ray Tune: one queue of all trials, TPE and ASHA for each search, the trainable and its callbacks."""
