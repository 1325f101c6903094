"""Entry points: each module's main() parses its flags and returns the exit code."""
