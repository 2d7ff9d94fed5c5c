"""Foreign predictions: probabilities of test tiles that another program made, as a row beside a campaign's own models."""
