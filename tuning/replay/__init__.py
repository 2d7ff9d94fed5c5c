"""Replays the calendar after an event: what a trained model maps on each day that brings an acquisition."""
