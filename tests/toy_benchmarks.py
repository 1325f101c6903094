"""Cases whose times are known, for the tests of the benchmarks.

A worker measures them by a made-up clock: a machine that does other things
wakes nobody in time. The times are fractions of a power of two, so that their
differences are exact.
"""

from collections.abc import Callable
import functools
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks import sides


def _made_up_clock() -> Callable[[float], None]:
  """Sets it for the whole process; what is returned lets it go on."""
  now = [0.0]
  time.perf_counter = lambda: now[0]

  def spend(seconds: float) -> None:
    now[0] += seconds

  return spend


def _spends(seconds: float, value: float, fraction: float = 1.0):
  def setup(scale: sides.Scale) -> sides.Side:
    assert (scale.folder / 'prepared').exists()
    spend = _made_up_clock()

    def run() -> sides.Result:
      spend(seconds)
      return {'value': np.array(value)}

    return sides.Side(run, fraction)

  return setup


def _absent(scale: sides.Scale) -> sides.Side:
  raise ImportError('No module named absent')


def _broken(scale: sides.Scale) -> sides.Side:
  print('noise on the way')
  raise ValueError('does not work')


def _hungry(scale: sides.Scale) -> sides.Side:
  return sides.Side(lambda: {'value': np.ones(12_500_000).sum()})


def _parent(scale: sides.Scale) -> sides.Side:
  """A process of its own does the work."""
  command = [sys.executable, '-c', 'b"x" * 100_000_000']

  def run() -> sides.Result:
    subprocess.run(command, check=True)
    return {'value': np.array(0)}

  return sides.Side(run)


def _dies(scale: sides.Scale) -> sides.Side:
  """As where memory runs out, in its second run."""
  runs = []

  def run() -> sides.Result:
    runs.append(None)
    if len(runs) > 1:
      os._exit(9)
    return {'value': np.array(0)}

  return sides.Side(run)


def _counted(scale: sides.Scale, *, steady: bool) -> sides.Side:
  """Says how often it ran, which took longest at first."""
  runs, spend = [], _made_up_clock()

  def run() -> int:
    runs.append(None)
    spend(1 / 4 if len(runs) == 1 else 1 / 32)
    return len(runs)

  return sides.Side(
    run, steady=steady, compared=lambda last: {'value': np.array(last)}
  )


def _gap(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  return {'gap': float(theirs['value'] - ours['value'])}


def _last(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  return {
    'our_runs': float(ours['value']),
    'their_runs': float(theirs['value']),
  }


def _nothing(scale: sides.Scale) -> None:
  raise FileNotFoundError('no data')


_TURNS = {
  'ours': functools.partial(_counted, steady=False),
  'steady': functools.partial(_counted, steady=True),
  'full': functools.partial(_counted, steady=True),
}
CASES = {
  'toy': sides.Case(
    'spends',
    {
      'ours': _spends(1 / 32, 1.0),
      'slow': _spends(1 / 8, 3.0, 0.5),
      'absent': _absent,
      'broken': _broken,
      'dies': _dies,
      'hungry/100 MB': _hungry,
      'parent': _parent,
    },
    _gap,
    lambda scale: (scale.folder / 'prepared').touch(),
  ),
  'turns': sides.Case(
    'counts', _TURNS, _last, turns=(1, 3), full_only=('full',)
  ),
  'alone': sides.Case('counts', _TURNS, _last, full_only=('steady', 'full')),
  'unprepared': sides.Case('nothing', _TURNS, _last, _nothing),
}
