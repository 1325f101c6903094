"""Marks that say where a statement comes from."""

INFERRED, OUR_CHOICE, KERAS = '[inferred]', '[our choice]', '[Keras default]'
