"""The fundus study as one command, beside the paper's procedure in Keras.

The paper freezes EfficientNet-B0 inside the model and calls `fit` for every
head, so that every epoch runs the network again, for validation too. Images are
ODIR-5K's, in `$HETEROJAX_ODIR` or beside the clone; weights are random.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks import sides

_ROOT = pathlib.Path(__file__).parents[1]
# Training rows of the 25 heads as published, with validation rows of the first.
_TRAIN = 1428 + 6 * (42 + 441 + 274 + 671)
_VALIDATION = 25 * 208
_EPOCHS, _BATCH = 10, 8


def _odir() -> pathlib.Path:
  beside = _ROOT.parent / 'shared' / 'data' / 'odir5k'
  folder = pathlib.Path(os.environ.get('HETEROJAX_ODIR', beside))
  if not folder.exists():
    raise FileNotFoundError(f'ODIR-5K is not at {folder}: set HETEROJAX_ODIR')
  return folder


def _prepare(scale: sides.Scale) -> None:
  os.environ['KERAS_BACKEND'] = 'tensorflow'
  _odir()
  _network().save_weights(scale.folder / 'b0.weights.h5')


def _network():
  import keras

  keras.utils.set_random_seed(0)
  return keras.applications.EfficientNetB0(
      include_top=False, weights=None, input_shape=(224, 224, 3)
  )


def _ours(scale: sides.Scale) -> sides.Side:
  command = [
      *(sys.executable, '-m', 'launch.study'),
      '--config=configs/fundus.py:protocol=published,feature=flatten',
      f'--config.data.dir={_odir().resolve()}',
      f'--config.backbone.weights={scale.folder / "b0.weights.h5"}',
      '--config.heads.patience=10',
  ]

  def run() -> sides.Result:
    folder = tempfile.mkdtemp(dir=scale.folder)
    done = subprocess.run(
        [*command, f'--workdir={folder}'],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
      raise RuntimeError((done.stdout + done.stderr).strip().splitlines()[-1])
    shutil.rmtree(folder)
    return {'heads': np.array(25)}

  return sides.Side(run)


def _keras(scale: sides.Scale) -> sides.Side:
  """One epoch of a few batches; arithmetic does not depend on the images."""
  os.environ['KERAS_BACKEND'] = 'tensorflow'
  import keras

  network = _network()
  network.trainable = False
  model = keras.Sequential([
      network,
      keras.layers.Flatten(),
      keras.layers.Dense(1, activation='sigmoid'),
  ])
  model.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
  batches = 64 if scale.full else 8
  rng = np.random.default_rng(0)
  x = rng.uniform(0, 255, (batches * _BATCH, 224, 224, 3)).astype(np.float32)
  y = rng.integers(0, 2, len(x)).astype(np.float32)
  own = len(x) // 5

  def run() -> sides.Result:
    model.fit(
        x, y, batch_size=_BATCH, epochs=1, verbose=0,
        validation_data=(x[:own], y[:own]), validation_batch_size=_BATCH,
    )  # pyformat: disable
    return {'heads': np.array(25)}

  done = len(x) + own
  return sides.Side(run, done / (_EPOCHS * (_TRAIN + _VALIDATION)))


CASES = {
    'study/fundus': sides.Case(
        'image files to report, 25 heads',
        {'ours': _ours, 'keras': _keras},
        lambda ours, theirs: {'heads': float(ours['heads'])},
        _prepare,
        turns=(1, 3),
    )
}
