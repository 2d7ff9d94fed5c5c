"""Ray Tune: TPE, ASHA, the trainable and its callback."""
