"""Configurations: each module's get_config(arg) gives a ConfigDict."""
