"""Statistics of a comparison: sampling units, intervals, verdicts and what would decide them."""
