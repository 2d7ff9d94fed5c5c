"""The contract of a network, tried on an untrained one: ``python -m models.check path/to/file.py:Class``."""
