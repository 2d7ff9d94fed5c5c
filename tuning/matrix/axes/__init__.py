"""The axes of a matrix: what each varies, and how its levels are written."""
