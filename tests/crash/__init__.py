"""Kills at every operation on files, in turn; minutes to hours."""
