"""Measures every case: python -m benchmarks.run --out=FILE.json.

Ours and the peer's take turns, so that both see the same machine; medians are
compared, and results are compared before anything is timed. The first call,
which compiles, is not timed; its seconds stand apart. A ratio above 1 means
that ours is faster. Peers come from the extra `parity`; a missing one is
reported as missing.
"""

import json
import pathlib
import platform
import re
import statistics
import subprocess
import time

from absl import app
from absl import flags

import heterojax  # Appends the XLA flags before any backend exists.
from benchmarks import cases
from heterojax import arithmetic
from heterojax import environment

_OUT = flags.DEFINE_string('out', None, 'JSON file to write.', required=True)
_ONLY = flags.DEFINE_string('only', '', 'Regular expression of names.')
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Turns of each side.')

del heterojax


def _seconds(function) -> float:
  start = time.perf_counter()
  function()
  return time.perf_counter() - start


def measure(name: str) -> dict[str, object]:
  """One record; see the module's docstring."""
  start = time.perf_counter()
  try:
    case = cases.CASES[name]()
  except ImportError as error:
    return {'name': name, 'missing': str(error)}
  prepared = time.perf_counter() - start
  turns = [
      (_seconds(case.ours), _seconds(case.theirs) / case.fraction)
      for _ in range(_REPEATS.value)
  ]
  ours, theirs = (statistics.median(side) for side in zip(*turns))
  ratios = sorted(b / a for a, b in turns)
  return {
      'name': name,
      'peer': case.peer,
      'ratio': theirs / ours,
      'ratio_lowest': ratios[0],
      'ratio_highest': ratios[-1],
      'ours': ours,
      'theirs': theirs,
      'unit': 's',
      'quality': case.quality,
      'extrapolated': case.fraction < 1,
      'fraction_measured': case.fraction,
      'seconds_before_timing': prepared,
  }


def _commit() -> str:
  done = subprocess.run(
      ['git', 'rev-parse', '--short', 'HEAD'],
      capture_output=True,
      text=True,
      check=False,
      cwd=pathlib.Path(__file__).parent,
  )
  return done.stdout.strip()


def main(argv: list[str]) -> None:
  del argv
  arithmetic.start()
  records = []
  for name in cases.CASES:
    if re.search(_ONLY.value, name):
      records.append(measure(name))
      print(json.dumps(records[-1]), flush=True)
  machine = environment.describe()
  machine |= {'processor': platform.processor(), 'commit': _commit()}
  report = {'schema_version': 1, 'machine': machine, 'records': records}
  pathlib.Path(_OUT.value).write_text(json.dumps(report, indent=1) + '\n')


if __name__ == '__main__':
  app.run(main)
