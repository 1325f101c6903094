"""Entry points: main() of each module parses flags and returns an exit code."""
