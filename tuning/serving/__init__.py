"""The logged model: export, input checks, prediction."""
