"""Registered models in files and on the Hugging Face hub: export, push, pull."""
