"""What the user asked for: presets, options, the lock of a campaign."""
