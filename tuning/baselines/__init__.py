"""Log-ratios and per-pixel learning."""
