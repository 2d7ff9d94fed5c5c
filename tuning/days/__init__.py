"""Scores by days after the event, from the replays of one or several campaigns: intervals, figure, section of a page."""
