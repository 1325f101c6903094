"""Commands that only store: what a study writes, without what it computes."""

import pathlib

import numpy as np

from heterojax.datasets import inspections
from heterojax.datasets import sources
from heterojax.features import store
from heterojax.run import artifacts
from heterojax.run import atomic
from heterojax.run import checkpoint
from heterojax.run import run_folder

_RUN = pathlib.Path('run')
STATE = pathlib.Path('state')  # Its checkpoints hold the time.
_CONFIG = {'study': 'none', 'seed': 0}
_ABOUT = 'these'
_FILES = 'tables/overall.csv', 'results.json'
_STEPS = 2


def files() -> int:
  """A run folder from its lock to its seal; of images, in `../data/images`."""
  environment = {'python': '3'}
  with run_folder.opened(_RUN, _CONFIG, environment):
    _look(sources.Files(pathlib.Path('../data/images')))
    run_folder.begin(_RUN, _CONFIG, environment, 'store', '')
    _features(_RUN / 'features')
    for name in _FILES:
      parts = '{', f'"name": "{name}"', '}\n'
      atomic.write(_RUN / name, parts)
    artifacts.seal(_RUN)
  return 0


def _look(source: sources.Files) -> None:
  with inspections.Inspections(_RUN) as earlier:
    for name in 'yes/0.png', 'no/1.png':
      found = earlier.look(source, name, 'window')
      earlier.keep(source, name, 'window', found)


def _features(folder: pathlib.Path) -> None:
  kept = store.Store(folder, store.header_of((4, 3), 2, _ABOUT))
  folder.mkdir(exist_ok=True)
  kept.open()
  for block in kept.missing():
    kept.write(block, _rows(block))
  assert np.array_equal(kept.close(), _rows(slice(0, 4)))


def _rows(block: slice) -> np.ndarray:
  return np.arange(12, dtype=np.float32).reshape(4, 3)[block]


def checkpoints() -> int:
  """A training that saves its state after each step, and then its result."""
  folder = _RUN / 'checkpoints' / 'heads'
  state = np.zeros(4, np.float32)
  if (leaves := checkpoint.load(folder, _ABOUT)) is None:
    steps = checkpoint.Steps(folder, _ABOUT)
    done, leaves = steps.latest()
    if done:
      state = checkpoint.restore({'state': state}, leaves)['state']
    for number in range(done, _STEPS):
      state = state + np.float32(number + 1)
      steps.save(number + 1, {'state': state})
    checkpoint.save(folder, {'state': state}, _ABOUT)
    leaves = {'state': state}
  # What is read, so that what is lost is seen in the result.
  text = run_folder.to_json({'state': leaves['state'].tolist()})
  atomic.write(STATE / 'state.json', text)
  return 0
