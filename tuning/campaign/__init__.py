"""One benchmark from data to report."""
