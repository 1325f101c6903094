"""The fundus study as one command, beside the paper's procedure in Keras.

The paper freezes EfficientNet-B0 inside the model and calls `fit` for every
head, so that every epoch runs the network again, for validation too. Keras does
a stated fraction of that, without the tracing that each of the 25 `fit` begins
with; ours does all, in a new process that compiles everything, or finds the
programs of its first run. It also trains 56 heads that the paper has not.
Images are those of ODIR-5K, weights are random.
"""

from collections.abc import Callable
import functools
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks import networks
from benchmarks import sides

# Training rows of the 25 heads as published, with validation rows of the first.
_TRAIN = 1428 + 6 * (42 + 441 + 274 + 671)
_VALIDATION = 25 * 208
_EPOCHS, _BATCH = 10, 8


def _ours(scale: sides.Scale, *, kept: bool) -> sides.Side:
  command = [
    *(sys.executable, '-m', 'launch.study'),
    '--config=configs/fundus.py:protocol=published,feature=flatten',
    f'--config.data.dir={sides.odir()}',
    f'--config.backbone.weights={scale.folder / networks.KERAS_WEIGHTS}',
    # None is stopped early on either side.
    f'--config.heads.patience={_EPOCHS}',
    f'--config.heads.epochs={_EPOCHS}',
  ]

  def run() -> sides.Result:
    folder = tempfile.mkdtemp(dir=scale.folder)
    done = subprocess.run(
      [*command, f'--workdir={folder}/run'],
      cwd=sides.ROOT,
      # Where none are kept, no programs of an earlier run.
      env=os.environ | ({} if kept else {'HETEROJAX_CACHE': f'{folder}/cache'}),
      capture_output=True,
      text=True,
      check=False,
    )
    if done.returncode:
      raise RuntimeError((done.stdout + done.stderr).strip().splitlines()[-1])
    shutil.rmtree(folder)
    return {'heads': np.array(25)}

  return sides.Side(run, steady=not kept)


def _keras(scale: sides.Scale) -> sides.Side:
  """One epoch of a few batches; arithmetic does not depend on the images.

  Its weights are written here, before ours runs.
  """
  network = networks.of_keras(pooling=None)
  network.save_weights(scale.folder / networks.KERAS_WEIGHTS)
  import keras

  network.trainable = False
  model = keras.Sequential([
    network,
    keras.layers.Flatten(),
    keras.layers.Dense(1, activation='sigmoid'),
  ])
  model.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
  # Of fewer, the 0.3 s that a `fit` takes once would count too much.
  batches = 64 if scale.full else 32
  rng = np.random.default_rng(0)
  x = rng.uniform(0, 255, (batches * _BATCH, 224, 224, 3)).astype(np.float32)
  y = rng.integers(0, 2, len(x)).astype(np.float32)
  own = len(x) // 2  # For validation, as in the study.

  def fit(number: int, own: int) -> None:
    model.fit(
      x[:number],
      y[:number],
      batch_size=_BATCH,
      epochs=1,
      verbose=0,
      validation_data=(x[:own], y[:own]),
      validation_batch_size=_BATCH,
    )

  def run() -> sides.Result:
    fit(len(x), own)
    return {'heads': np.array(25)}

  fit(_BATCH, _BATCH)  # Traces.
  done = (len(x) + own) / (_EPOCHS * (_TRAIN + _VALIDATION))
  return sides.Side(run, done, steady=True)


def _case(
  work: str,
  ours: Callable[[sides.Scale], sides.Side],
  full_only: tuple[str, ...] = (),
) -> sides.Case:
  return sides.Case(
    work,
    {'ours': ours, 'keras': _keras},
    lambda ours, theirs: {'heads': float(ours['heads'])},
    # Keras took 15 ms an image in most, and 27 in others.
    turns=(1, 3),
    full_only=full_only,
  )


CASES = {
  'study/fundus': _case(
    'image files to report, 25 heads', functools.partial(_ours, kept=False)
  ),
  'study/fundus kept': _case(
    'image files to report, 25 heads, no compiling',
    functools.partial(_ours, kept=True),
    full_only=('keras',),
  ),
}
