"""The experiment matrix: campaigns that differ along named axes, run as one and compared."""
