"""Growth of what compares rows with each other: python -m benchmarks.stages.

Processor time of this process from 10,000 to 1,000,000 rows of 8 columns in
four clusters, and the exponent of each stage, into `docs/proofs.md`. Of two
calls the shorter one counts, which does not compile; what takes long is called
once.
"""

from collections.abc import Callable, Sequence
import os
import pathlib
import sys
import time

import numpy as np

from benchmarks import growth
from benchmarks import markdown
from benchmarks import sides

_PAGE = pathlib.Path(__file__).parent.parent / 'docs' / 'proofs.md'
_SIZES = 10_000, 100_000, 1_000_000
_WIDTH, _K = 8, 4
_LONG = 10.0  # Seconds, of which a second or two of compiling are little.
_TESTED = 5  # One row of so many is held out.

Stages = dict[str, Callable[[], object]]


def of(n: int) -> Stages:
  """The stages, of so many rows."""
  # pylint: disable=import-outside-toplevel
  from heterojax import cluster
  from heterojax.cluster import distances
  from heterojax.cluster import validity
  from heterojax.studies import audits

  x = sides.like_features(n, _WIDTH)
  labels = (np.arange(n) % _K).astype(np.int32)
  tested = np.arange(n) % _TESTED == 0
  test, training = np.flatnonzero(tested), np.flatnonzero(~tested)
  cohort = _cohort(n)
  drawn = audits.drawn_rows(len(test), len(training))
  return {
    'splitting': lambda: _split(cohort),
    'near duplicates': lambda: cluster.nearest_by_cosine(
      x, test[drawn], training, np.arange(n)
    ),
    'intra-cluster distances': lambda: [
      cluster.intra_cluster(x[labels == c]) for c in range(_K)
    ],
    'silhouettes': lambda: validity.indices(x, labels[None], _K),
    'closest points': lambda: distances.closest_point_distances(x, labels, _K),
  }


def _cohort(n: int):
  # pylint: disable=import-outside-toplevel
  from heterojax.datasets import manifest
  from heterojax.datasets import sources

  candidates = tuple(
    manifest.Candidate(f'{i}', f'{i}.png', 'ny'[i % 2], f'p{i // 2}')
    for i in range(n)
  )
  source = sources.Files(pathlib.Path('none'))
  return manifest.Cohort('made up', source, ('y', 'n'), candidates)


def _split(cohort) -> object:
  from heterojax.datasets import splits  # pylint: disable=import-outside-toplevel

  return splits.assign(
    cohort,
    seed=0,
    protocol='clean',
    test_share=1 / _TESTED,
    validation_share=0.2,
    folds=0,
  )


def _seconds(call: Callable[[], object]) -> float:
  found = []
  while len(found) < 2 and sum(found) < _LONG:
    start = time.process_time()
    call()
    found.append(time.process_time() - start)
  return min(found)


def main(words: Sequence[str]) -> None:
  """Takes sizes, of which none stands for all."""
  sizes = tuple(map(int, words)) or _SIZES
  # Threads that wait for each other are no work.
  os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
  sides.start_ours()
  seconds: dict[str, list[float]] = {}
  for n in sizes:
    for name, call in of(n).items():
      seconds.setdefault(name, []).append(_seconds(call))
      print(n, name, seconds[name][-1], file=sys.stderr, flush=True)
  rows = [
    (
      name,
      *(f'{s:.2g} s' if s < 10 else f'{s:.0f} s' for s in found),
      f'{growth.exponent(sizes, found):.2f}',
    )
    for name, found in seconds.items()
  ]
  head = 'stage', *(f'{n:,} rows' for n in sizes), 'exponent'
  markdown.put_rows(_PAGE, 'growth', head, rows)


if __name__ == '__main__':
  main(sys.argv[1:])
