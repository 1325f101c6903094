"""Reads the HDF5 weight files of Keras 2 and Keras 3.

libhdf5 believes what a damaged file says of itself: it allocates lengths that
the file cannot have, goes round in circles or crashes. A file is therefore read
in a separate process, with limits of memory and time that follow from its
size. What is read of it is in `keras_h5_script`.
"""

import os
import pathlib

import numpy as np
import safetensors.numpy

from heterojax.errors import UserError
from heterojax.run import scripts

SCRIPT = pathlib.Path(__file__).with_name('keras_h5_script.py')
_REFUSED = 2  # Exit code where the script says what is wrong.


def read_keras_h5(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
  """Reads all weights of a Keras HDF5 file.

  Args:
    path: a file in any of the three layouts.

  Returns:
    Array of each '{layer}/{variable}'. A depthwise kernel (height x width x
    channels x 1) is always 'depthwise_kernel', and a layer made of mean,
    variance and count is always 'normalization'. A variable of a `.weights.h5`
    layer of unknown class keeps its number. bfloat16 becomes float32.

  Raises:
    UserError: the file is damaged, follows none of the layouts, holds one name
      twice, or points to data outside itself.
  """
  path = pathlib.Path(path)
  done = scripts.run(SCRIPT, path)
  if done.returncode == _REFUSED:
    raise _error(path, done.stdout.decode())
  if done.returncode:
    raise _error(path, 'it is damaged, as libhdf5 crashes or never ends')
  return safetensors.numpy.load(done.stdout)


def _error(path: pathlib.Path, why: str) -> UserError:
  return UserError(f'{path} cannot be read as a Keras weight file: {why}.')
