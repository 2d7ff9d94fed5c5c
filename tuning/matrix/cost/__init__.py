"""What a matrix costs: trainings, hours and bytes, before it starts."""
