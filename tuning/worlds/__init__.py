"""The statistics put to the test on many twin worlds: are verdicts right, and do intervals cover."""
