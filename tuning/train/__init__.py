"""Training of one config in plain PyTorch."""
