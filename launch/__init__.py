"""Entry points: each module's main() parses flags and returns an exit code."""
