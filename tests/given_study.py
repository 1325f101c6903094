"""A small study of features that were given, by its command."""

import pathlib

import numpy as np

from heterojax.launch import study


def write(folder: pathlib.Path, x: np.ndarray, y: np.ndarray) -> pathlib.Path:
  """A file of `[N, D]` features whose `[N]` labels 0 and 1 are no and yes."""
  file = folder / 'features.npz'
  labels = np.array(['no', 'yes'])[y]
  np.savez(file, features=x.astype(np.float32), label=labels)
  return file


def run(file: pathlib.Path, *flags: str) -> int:
  """The exit code of a study in the folder `run` beside the file."""
  return study.main([
    'study',
    '--config=features:tiny',
    f'--config.data.dir={file}',
    '--config.data.positive=yes',
    '--config.data.negative=no',
    '--config.reduction.n_components=3',
    f'--workdir={file.parent / "run"}',
    *flags,
  ])
