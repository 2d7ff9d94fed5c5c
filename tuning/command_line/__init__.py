"""One command for all: ``landslide COMMAND`` calls what ``python -m MODULE`` calls."""
