"""The command of a matrix: its options, a file that holds them, ready-made studies."""
