"""ONNX graphs without weights: simplified, and kept for later campaigns."""
