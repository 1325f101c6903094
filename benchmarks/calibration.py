"""Size and power of the three tests: python -m benchmarks.calibration.

python -m benchmarks.calibration --sets=600 --features=16,64 --out=FILE.json

python -m benchmarks.calibration --tests=redrawn --runs=WORKDIR,WORKDIR

The second command draws the labels of real images anew from one known rule; a
run of a study with `split.protocol=clean` has their features.

Each line is a world: the share of its sets with p <= .05, with its exact 95 %
interval. An earlier file is gone on with, set by set; beside it are written a
table (.md) and a figure (.png).
"""

import functools
import json
import pathlib
import sys
import time
from typing import NamedTuple

from absl import flags
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from heterojax import cli
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets import manifest
from heterojax.report import drawing
from heterojax.run import atomic
from heterojax.verdict import calibration
from heterojax.verdict import folds
from heterojax.verdict import worlds

_SAVED = 20  # Sets between two writings of the file.
_OTHERS = ('turned', 'reversed', 'curved')
_FLAGS = (
  (flags.DEFINE_integer, 'sets', 600, 'Data sets of each world.'),
  (flags.DEFINE_list, 'features', ['16', '64', '256', '1280'], 'Dimensions.'),
  (flags.DEFINE_list, 'worlds', list(worlds.WORLDS), 'Names of worlds.'),
  (
    flags.DEFINE_list,
    'tests',
    ['one_rule', 'teaches_less', 'uneven'],
    'Of these, and redrawn.',
  ),
  (flags.DEFINE_list, 'runs', [], 'Folders of runs whose labels are redrawn.'),
  (flags.DEFINE_integer, 'images', 300, 'Training images; two thirds test.'),
  (flags.DEFINE_float, 'df', 0, 'Of t-distributed features; 0: normal.'),
  (flags.DEFINE_integer, 'draws', 99, 'Worlds, or partitions.'),
  (flags.DEFINE_integer, 'seed', 0, 'Of the calibration.'),
  (flags.DEFINE_string, 'out', 'calibration.json', 'File to write.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


class Real(NamedTuple):
  """Images of a run.

  Attributes:
    x: `[N, R]` their coordinates in the span of their features.
    p: `[N]` the known rule.
  """

  x: np.ndarray
  p: np.ndarray


@functools.cache
def _real(run: str) -> Real:
  """The originals of a run, with their own labels to find a rule by."""
  folder = pathlib.Path(run)
  x = np.load(folder / 'features' / 'features.npy', mmap_mode='r')
  ids = [row['id'] for row in manifest.read_table(folder / 'clusters.csv')]
  labels = {
    row['id']: row['label']
    for row in manifest.read_table(folder / 'manifest.csv')
    if row['included'] == 'true'
  }
  own = [i for i, name in enumerate(ids) if name in labels]
  y = np.unique([labels[ids[i]] for i in own], return_inverse=True)[1]
  x = np.asarray(x[own], np.float64)
  x /= np.sqrt(np.mean(np.var(x, axis=0)))
  x = np.asarray(folds.features(folds.prepared(x, len(x))))
  return Real(x, calibration.known_rule(x, y, worlds.key(0, 'known rule')))


def _one(test: str, name: str, d: int, number: int, v: flags.FlagValues):
  """What is kept of one set: p, and for one rule how far the worlds miss."""
  if test == 'uneven':
    return calibration.uneven_p(v.images, v.seed, number, 999), None
  df = v.df or None
  train = v.images
  if test == 'redrawn':
    real = _real(name)
    key = worlds.key(v.seed, pathlib.Path(name).name, number)
    own = calibration.redrawn(real.x, real.p, key)
  else:
    key = worlds.key(v.seed + 1, name, d, train, number)
    own = calibration.made(name, v.seed, number, train, 2 * train // 3, d, df)
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
    if test == 'redrawn':
      lines = [(run, 0) for run in v.runs]
    for name, d in lines:
      about = f'{test}, {name}, {d} features, {v.images} images'
      if test == 'uneven':
        about = f'{test}, {name}, {v.images} images'
      if test == 'redrawn':
        about = f'one_rule, labels redrawn on {pathlib.Path(name).name}'
        about += f' features, {len(_real(name).x)} images'
      about += f', t({v.df:g})' if v.df else ''
      about += f', seed {v.seed}' if v.seed else ''
      done = known.setdefault(about, {'p': [], 'miss': [], 'seconds': 0.0})
      start = time.perf_counter()
      for number in range(len(done['p']), v.sets):
        p, miss = _one(test, name, d, number, v)
        done['p'].append(p)
        done['miss'].append(miss)
        if not len(done['p']) % _SAVED:
          atomic.write(path, stored(known))
      done['seconds'] += time.perf_counter() - start
      atomic.write(path, stored(known))
      print(line(about, done), flush=True)
  atomic.write(path.with_suffix('.md'), table(known))
  atomic.write(path.with_suffix('.png'), figure(known))
  return 0


def stored(known: dict) -> str:
  """The file: a row a line, where rows have sets; p-values stay what they are.

  Those of up to 999 draws differ from .05 in the first four digits.
  """
  rows = []
  for about, done in known.items():
    if done['p']:
      kept = {
        'p': [None if x is None else round(x, 4) for x in done['p']],
        'miss': [None if x is None else round(x, 4) for x in done['miss']],
        'seconds': round(done['seconds']),
      }
      text = json.dumps(kept, separators=(',', ':'))
      rows.append(f'{json.dumps(about)}:{text}')
  return '{\n' + ',\n'.join(rows) + '\n}\n'


def share(done: dict) -> tuple[float, float, float, int]:
  """Share of sets with p <= .05, its 95 % interval (Clopper and Pearson), n."""
  p = np.array([np.nan if x is None else x for x in done['p']], float)
  found, n = int(np.sum(p <= calibration.LEVEL)), len(p)
  low = stats.beta.ppf(0.025, found, n - found + 1) if found else 0.0
  high = stats.beta.ppf(0.975, found + 1, n - found) if found < n else 1.0
  return found / n, float(low), float(high), n


def line(about: str, done: dict) -> str:
  """A line of the table."""
  rate, low, high, n = share(done)
  none = sum(p is None for p in done['p'])
  return f'{about}: {rate:.3f} [{low:.3f}, {high:.3f}] of {n}; {none} without p'


def table(known: dict) -> str:
  """All lines, as Markdown."""
  rows = [
    '# Calibration\n',
    'How often a test was significant where nothing is to be found;',
    '[answer.md](answer.md) explains it.\n',
    '| test, world | p <= .05 | 95 % interval | sets | without p |',
    '|---|---|---|---|---|',
  ]
  for about, done in known.items():
    rate, low, high, n = share(done)
    none = sum(p is None for p in done['p'])
    rows.append(
      f'| {about} | {rate:.3f} | {low:.3f}-{high:.3f} | {n} | {none} |'
    )
  return '\n'.join(rows) + '\n'


def figure(known: dict) -> bytes:
  """Shares with their intervals, one below the other, beside .05 and .8."""
  with drawing.style():
    drawn = plt.figure(figsize=(8, 1 + 0.2 * len(known)), layout='constrained')
    axes = drawn.subplots()
    for place, (about, done) in enumerate(known.items()):
      rate, low, high, _ = share(done)
      one_rule = any(name in about for name in ('noisier', *_OTHERS))
      axes.plot([low, high], [place, place], color='0.5')
      marker = 's' if one_rule else 'o'
      axes.plot(rate, place, marker, color='black', clip_on=False)
    axes.set_yticks(range(len(known)), list(known))
    axes.set_ylim(len(known) - 0.5, -0.5)
    axes.axvline(calibration.LEVEL, color='0.7', zorder=0)
    axes.set_xlim(0, 1)
    axes.set_xlabel('share of data sets with p <= .05 (squares: to be found)')
    return drawing.encoded(drawn, 'png')


if __name__ == '__main__':
  sys.exit(cli.run(_FLAGS, _calibrate, sys.argv, about=__doc__, config=False))
