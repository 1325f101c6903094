"""Entry points: each module's main() parses its flags and runs one study."""
