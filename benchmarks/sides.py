"""What is compared: a case, its sides, and one side in a process of its own.

A worker process runs one side of a case: it sets up, and then runs whenever it
is told to and says how long that took. Libraries do not share a process, so
none changes another's threads, memory or backend.
"""

from collections.abc import Callable, Collection, Mapping
import contextlib
import os
import pathlib
import resource
from typing import Any, NamedTuple

import numpy as np

# Whose `CASES` are the suite, in the order of a study.
MODULES = (
  'features',
  'endtoend',
  'heads',
  'logistic',
  'kmeans',
  'pca',
  'streams',
  'clusters',
  'clusterings',
  'verdict',
  'study',
  'waits',
)
ROOT = pathlib.Path(__file__).parents[1]
Result = dict[str, np.ndarray]
PREPARE = 'prepare'  # Who writes what the sides share.
FEATURES = 'features.npy'


class Scale(NamedTuple):
  """How much is done.

  Attributes:
    full: whether peers do all of the work; else the fraction that they state.
    folder: for files that the sides of a case share.
  """

  full: bool
  folder: pathlib.Path


class Side(NamedTuple):
  """One library at one case.

  Attributes:
    run: does the work once and waits for it.
    fraction: share of the case's work that `run` does.
    steady: whether the first run is like any other, because it neither
      compiles, traces nor tunes anything. Where a case has a single turn, the
      first run is that turn.
    compared: what the last run returned to what is compared; not timed.
  """

  run: Callable[[], Any]
  fraction: float = 1.0
  steady: bool = False
  compared: Callable[[Any], Result] = dict


class Case(NamedTuple):
  """One comparison.

  Attributes:
    work: what one run does, for the table.
    sides: 'ours' and the peers, as 'scikit-learn' or 'scikit-learn/full', to
      what sets a side up.
    quality: (ours, theirs) to how far apart the results are.
    prepare: writes what the sides share, in a process of its own.
    turns: of each side in the quick suite and in the full one.
    full_only: sides that the quick suite leaves out.
  """

  work: str
  sides: Mapping[str, Callable[[Scale], Side]]
  quality: Callable[[Result, Result], dict[str, float]]
  prepare: Callable[[Scale], None] | None = None
  turns: tuple[int, int] = (3, 7)
  full_only: Collection[str] = ()

  def chosen(self, full: bool) -> list[str]:
    """Sides that a suite has."""
    return [side for side in self.sides if full or side not in self.full_only]


def file_name(side: str) -> str:
  """Of a side's results."""
  return f'{side.replace("/", "_")}.npz'


def relative_error(got: np.ndarray, want: np.ndarray) -> float:
  """Largest difference over the largest value."""
  return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def like_features(n: int, d: int, seed: int = 0) -> np.ndarray:
  """`[n, d]` float32: non-negative, correlated columns, a falling spectrum."""
  rng = np.random.default_rng(seed)
  rank = min(n, d, 256)
  scale = 3 * np.arange(1.0, rank + 1, dtype=np.float32) ** -0.7
  x = rng.standard_normal((n, rank), np.float32) * scale
  x = x @ rng.standard_normal((rank, d), np.float32)
  x /= np.sqrt(rank)
  # In place, and noise by blocks: the largest fills half a gigabyte.
  for start in range(0, n, 4096):
    block = x[start : start + 4096]
    block += 0.3 * rng.standard_normal(block.shape, np.float32)
    np.maximum(block, 0, out=block)
  return x


def write_features(
  scale: Scale, *, n: int, d: int, centred: bool = False
) -> None:
  """Writes `like_features` for all sides of a case: the `prepare` of many."""
  x = like_features(n, d)
  if centred:
    x -= x.mean(axis=0)
  np.save(scale.folder / FEATURES, x)


def read_features(scale: Scale) -> np.ndarray:
  return np.load(scale.folder / FEATURES)


def some(n: int, k: int) -> np.ndarray:
  """Numbers of k of n rows."""
  return np.random.default_rng(0).choice(n, k, replace=False)


def some_rows(x: np.ndarray, k: int) -> np.ndarray:
  """Centres to start from."""
  return x[some(len(x), k)]


def turns(n: int, d: int) -> tuple[int, int]:
  """Quick and full; what takes seconds varies little."""
  return (3, 7) if n * d < 2e7 else (1, 5)


def odir() -> pathlib.Path:
  """Folder of ODIR-5K: `$HETEROJAX_ODIR`, or beside the clone.

  Raises:
    FileNotFoundError: if it is not there, so that the case counts as missing.
  """
  beside = ROOT.parent / 'shared' / 'data' / 'odir5k'
  folder = pathlib.Path(os.environ.get('HETEROJAX_ODIR', beside)).resolve()
  if not folder.exists():
    raise FileNotFoundError(f'ODIR-5K is not at {folder}: set HETEROJAX_ODIR')
  return folder


def memory() -> dict[str, int]:
  """Resident bytes of this process now and at their peak; Linux only.

  And of the largest process that it started and that has ended.
  """
  try:
    status = pathlib.Path('/proc/self/status').read_text()
    fields = dict(line.split(':', 1) for line in status.splitlines())
    now, peak = (int(fields[k].split()[0]) for k in ('VmRSS', 'VmHWM'))
  except (OSError, KeyError):
    return {}
  ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
  return {'now': now * 1024, 'peak': peak * 1024, 'ended': ended * 1024}


def added(before: dict[str, int], after: dict[str, int]) -> int | None:
  """What work took beyond what was there before it, or its own process did."""
  if not after:
    return None
  own = after['peak'] - before['now']
  return max(own, after['ended'] if after['ended'] > before['ended'] else 0)


def forget_peak() -> None:
  """Lets `memory` count the peak from here on."""
  # Where it cannot, the peak includes the set-up, and is only an upper bound.
  with contextlib.suppress(OSError):
    pathlib.Path('/proc/self/clear_refs').write_text('5')


def start_ours() -> None:
  """heterojax as its commands start it."""
  import heterojax  # Appends the XLA flags before any backend exists.
  from heterojax.compute import arithmetic
  from heterojax.compute import compilation

  del heterojax
  arithmetic.start()
  compilation.keep_programs()


def threads() -> int:
  return len(os.sched_getaffinity(0))
