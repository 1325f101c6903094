"""The training rows of a run's heads, in the order of `heads.json`."""

import itertools
import pathlib

import numpy as np


def of(run: pathlib.Path) -> list[np.ndarray]:
  with np.load(run / 'checkpoints' / 'heads_rows.npz') as kept:
    rows, starts = kept['rows'], kept['starts']
  return [rows[i:j] for i, j in itertools.pairwise(starts)]
