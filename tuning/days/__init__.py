"""Scores by days after the event, with intervals, figures and a section of a page."""
