"""The report of a matrix: effects, figures, tables, and one HTML page."""
