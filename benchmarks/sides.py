"""What is compared: a case, its sides, and one side in a process of its own.

A worker process runs one side: it sets up, runs once, says how long that took
and what it used, and then runs again whenever it is told to. Libraries do not
share a process, so none changes another's threads, memory or backend.
"""

from collections.abc import Callable, Mapping
import os
import pathlib
from typing import Any, NamedTuple

import numpy as np

Result = dict[str, np.ndarray]


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
    run: does the work once, waits for it and returns what is compared.
    fraction: share of the case's work that `run` does.
  """

  run: Callable[[], Result]
  fraction: float = 1.0


class Case(NamedTuple):
  """One comparison.

  Attributes:
    work: what one run does, for the table.
    sides: 'ours' and the peers, as 'scikit-learn' or 'scikit-learn/full', to
      what sets a side up.
    quality: (ours, theirs) to how far apart the results are.
    prepare: writes what the sides share, in a process of its own.
    turns: of each side in the quick suite and in the full one.
  """

  work: str
  sides: Mapping[str, Callable[[Scale], Side]]
  quality: Callable[[Result, Result], dict[str, float]]
  prepare: Callable[[Scale], None] | None = None
  turns: tuple[int, int] = (3, 7)


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


def memory() -> dict[str, int]:
  """Resident bytes of this process now and at their peak; Linux only."""
  try:
    status = pathlib.Path('/proc/self/status').read_text()
  except OSError:
    return {}
  fields = dict(line.split(':', 1) for line in status.splitlines())
  return {
      name: int(fields[key].split()[0]) * 1024
      for name, key in (('now', 'VmRSS'), ('peak', 'VmHWM'))
      if key in fields
  }


def forget_peak() -> None:
  """Lets `memory` count the peak from here on."""
  try:
    pathlib.Path('/proc/self/clear_refs').write_text('5')
  except OSError:
    pass  # The peak then includes the set-up, and is only an upper bound.


def start_ours() -> Any:
  """heterojax as its commands start it."""
  import heterojax  # Appends the XLA flags before any backend exists.
  from heterojax import arithmetic

  arithmetic.start()
  return heterojax


def threads() -> int:
  return len(os.sched_getaffinity(0))
