"""Kills at every operation on files, and damage of each file; minutes to hours."""
