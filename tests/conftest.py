"""Fixtures and the two rules every test runs under.

Silent broadcasting raises, and tests that need the shared real data skip with a
reason where it is missing.
"""

import pathlib

import jax
import pytest

import heterojax  # Appends the XLA flags before any backend exists.

del heterojax
jax.config.update('jax_numpy_rank_promotion', 'raise')

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / 'shared'


@pytest.fixture(scope='session')
def odir_dir() -> pathlib.Path:
  """Folder of the real ODIR-5K subset, in the Kaggle layout."""
  folder = SHARED / 'data' / 'odir5k'
  if not folder.is_dir():
    pytest.skip('the shared ODIR-5K images are not beside this checkout')
  return folder
