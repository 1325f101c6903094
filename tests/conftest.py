"""Fixtures and the five rules every test runs under.

Silent broadcasting raises; products have full precision, as in every command;
tests that need the shared real data skip with a reason where it is missing;
hypothesis draws the same examples every time, others with
HYPOTHESIS_PROFILE=explore, and never looks at the clock, so that a busy machine
fails nothing; and what takes more than 2 CPU-seconds is marked `slow`
(`lanes`).
"""

from collections.abc import Callable, Iterator
import ctypes
import gc
import os
import pathlib
import sys
import tempfile

# Programs compiled once for all tests, and nothing of theirs left at home. JAX
# reads this as it is imported, and so do the processes that tests start.
_PROGRAMS = tempfile.TemporaryDirectory()
os.environ['JAX_COMPILATION_CACHE_DIR'] = _PROGRAMS.name
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.1'

import hypothesis
import jax
import lanes
import numpy as np
import pytest
from toy_study import TOY
from toy_study.configuration import CONFIG

import heterojax  # Appends the XLA flags before any backend exists.
from heterojax.compute import cores
from heterojax.datasets import images
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.studies import registry
from heterojax.studies import running
from heterojax.studies.samples import Samples

del heterojax, running
dict(registry.STUDIES)  # What commands import late: no case pays for it.
jax.config.update('jax_numpy_rank_promotion', 'raise')
# See `arithmetic.start`: accelerators round factors otherwise.
jax.config.update('jax_default_matmul_precision', 'highest')
for _profile, _derandomize in (('fixed', True), ('explore', False)):
  hypothesis.settings.register_profile(
    _profile,
    derandomize=_derandomize,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
  )
hypothesis.settings.load_profile(os.environ.get('HYPOTHESIS_PROFILE', 'fixed'))

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / 'shared'


def pytest_addoption(parser: pytest.Parser) -> None:
  parser.addoption(
    '--check-lanes',
    action='store_true',
    help='fail where a rule of the default lane does not hold (tests/lanes.py)',
  )
  parser.addoption(
    '--cores',
    type=int,
    help='run on so many CPU cores, or believe in them where there are fewer',
  )


def _bind(number: int) -> None:
  """Binds this process to so many cores; where there are fewer they repeat.

  XLA, which makes its threads later, then has as many.
  """
  there = cores.numbers()
  chosen = tuple(there[i % len(there)] for i in range(number))
  os.sched_setaffinity(0, chosen)
  os.environ['NPROC'] = str(number)
  cores.numbers = lambda: chosen


def pytest_configure(config: pytest.Config) -> None:
  if config.getoption('check_lanes'):
    config.pluginmanager.register(lanes.Check())
  if number := config.getoption('cores'):
    _bind(number)


@pytest.hookimpl(tryfirst=True)  # Before `-m` chooses.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
  lanes.mark_fast(items)


@pytest.fixture(scope='module', autouse=True)
def _free_programs() -> Iterator[None]:
  """Forgets what a module compiled: a process can hold only so many programs.

  Each keeps memory maps of its own, of which Linux allows 65,530 by default,
  and beyond them XLA aborts.
  """
  yield
  cores.forget_programs()
  jax.clear_caches()
  gc.collect()
  if sys.platform == 'linux':
    ctypes.CDLL(None).malloc_trim(0)  # Compilers leave gigabytes behind.


@pytest.fixture
def use_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
  """Lets programs believe in so many cores; all are the first one."""
  first = cores.numbers()[:1]

  def use(number: int) -> None:
    monkeypatch.setattr(cores, 'numbers', lambda: first * number)

  return use


@pytest.fixture(scope='module')
def one_core() -> Iterator[None]:
  """Programs are compiled for one core, which is what takes most of the time.

  What they give does not depend on that (`test_cores_give_the_same_bits`).
  """
  first = cores.numbers()[:1]
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(cores, 'numbers', lambda: first)
    yield


@pytest.fixture(scope='session')
def odir_dir() -> pathlib.Path:
  """Folder of the real ODIR-5K subset, in the Kaggle layout."""
  folder = SHARED / 'data' / 'odir5k'
  if not folder.is_dir():
    pytest.skip('the shared ODIR-5K images are not beside this checkout')
  return folder


@pytest.fixture
def samples() -> Samples:
  """60 training samples, of which 10 repeat pictures, and 30 others."""
  row = np.concatenate([np.arange(50), np.arange(10), 50 + np.arange(30)])
  ids = tuple(map(str, range(90)))
  return Samples(
    ids=ids,
    parents=ids,
    transforms=(IDENTITY,) * 90,
    split=np.array(['train'] * 60 + ['test'] * 30),
    y=row % 2,
    row=row,
    pictures=tuple(Picture(str(i), IDENTITY) for i in range(80)),
    y_of_pictures=np.arange(80) % 2,
  )


@pytest.fixture
def blobs() -> np.ndarray:
  """`[80, 12]` float32 pictures in three blobs, found by row modulo 3."""
  rng = np.random.default_rng(0)
  centers = 10 * rng.standard_normal((3, 12))
  x = centers[np.arange(80) % 3] + rng.standard_normal((80, 12))
  return x.astype(np.float32)


@pytest.fixture(name='toy_config', scope='module')
def _toy_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
  """The flag of the toy study, which is in the registry meanwhile."""
  path = tmp_path_factory.mktemp('config') / 'toy.py'
  path.write_text(CONFIG)
  with pytest.MonkeyPatch.context() as patch:
    # The one line that a study needs outside its package.
    patch.setitem(registry.STUDIES, TOY.name, TOY)
    yield f'--config={path}'


@pytest.fixture(name='decoded')
def _decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
  """All that is decoded."""
  seen, examine = [], images.examine

  def counted(data: bytes, *options) -> object:
    seen.append(data)
    return examine(data, *options)

  monkeypatch.setattr(images, 'examine', counted)
  return seen
