"""Kills at every operation on files, and damage to them; minutes to hours."""
