"""Size and power of the three tests: python -m benchmarks.calibration.

python -m benchmarks.calibration --sets=600 --features=16,64 --out=FILE.json

Each line is a world: the share of its sets with p <= .05, with the two standard
errors that chance gives it. An earlier file is gone on with, set by set.
"""

import json
import pathlib
import sys
import time

from absl import flags
import numpy as np

from heterojax import cli
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.run import run_folder
from heterojax.verdict import calibration
from heterojax.verdict import worlds

_FLAGS = (
  (flags.DEFINE_integer, 'sets', 600, 'Data sets of each world.'),
  (flags.DEFINE_list, 'features', ['16', '64', '256', '1280'], 'Dimensions.'),
  (flags.DEFINE_list, 'worlds', list(worlds.WORLDS), 'Names of worlds.'),
  (flags.DEFINE_list, 'tests', ['one_rule', 'teaches_less', 'uneven'], ''),
  (flags.DEFINE_integer, 'images', 300, 'Training images; two thirds test.'),
  (flags.DEFINE_float, 'df', 0, 'Of t-distributed features; 0: normal.'),
  (flags.DEFINE_integer, 'draws', 99, 'Worlds, or partitions.'),
  (flags.DEFINE_integer, 'seed', 0, 'Of the calibration.'),
  (flags.DEFINE_string, 'out', 'calibration.json', 'File to write.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _one(test: str, name: str, d: int, number: int, v: flags.FlagValues):
  """What is kept of one set: p, and for one rule how far the worlds miss."""
  if test == 'uneven':
    return calibration.uneven_p(v.images, v.seed, number, 999), None
  df = v.df or None
  train = v.images
  own = calibration.made(name, v.seed, number, train, 2 * train // 3, d, df)
  key = worlds.key(v.seed + 1, name, d, train, number)
  if test == 'teaches_less':
    return calibration.teaches_less_p(own, key, v.draws), None
  found = calibration.one_rule_p(own, key, v.draws)
  miss = None if not found.rule else found.rule.expected - found.rule.observed
  return found.test.p_value, miss


def _calibrate(v: flags.FlagValues) -> int:
  arithmetic.start()
  compilation.keep_programs()
  path = pathlib.Path(v.out)
  known = json.loads(path.read_text()) if path.exists() else {}
  for test in v.tests:
    lines = [(name, int(d)) for name in v.worlds for d in v.features]
    if test == 'uneven':
      lines = [('errors of a class', 0)]
    for name, d in lines:
      about = f'{test}, {name}, {d} features, {v.images} images'
      about += f', t({v.df:g})' if v.df else ''
      done = known.setdefault(about, {'p': [], 'miss': [], 'seconds': 0.0})
      start = time.perf_counter()
      for number in range(len(done['p']), v.sets):
        p, miss = _one(test, name, d, number, v)
        done['p'].append(p)
        done['miss'].append(miss)
      done['seconds'] += time.perf_counter() - start
      run_folder.write_atomically(path, json.dumps(known) + '\n')
      print(line(about, done), flush=True)
  return 0


def line(about: str, done: dict) -> str:
  """A line of the table."""
  p = np.array([np.nan if x is None else x for x in done['p']], float)
  rate = float(np.mean(p <= calibration.LEVEL))
  spread = 2 * np.sqrt(rate * (1 - rate) / len(p))
  return (
    f'{about}: {rate:.3f} ± {spread:.3f} of {len(p)} sets'
    f' ({int(np.sum(np.isnan(p)))} without p, {done["seconds"]:.0f} s)'
  )


if __name__ == '__main__':
  sys.exit(cli.run(_FLAGS, _calibrate, sys.argv, about=__doc__, config=False))
