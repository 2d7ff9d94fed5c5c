"""The calendar after an event: what a trained model maps on each of its days."""
