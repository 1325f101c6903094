"""Cases whose times are known, for the tests of the benchmarks."""

import functools
import os
import subprocess
import sys
import time

import numpy as np

from benchmarks import sides


def _sleeps(seconds: float, value: float, fraction: float = 1.0):
  def setup(scale: sides.Scale) -> sides.Side:
    assert (scale.folder / 'prepared').exists()

    def run() -> sides.Result:
      time.sleep(seconds)
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
  runs = []

  def run() -> int:
    runs.append(None)
    time.sleep(0.2 if len(runs) == 1 else 0.02)
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
    'sleeps',
    {
      'ours': _sleeps(0.02, 1.0),
      'slow': _sleeps(0.1, 3.0, 0.5),
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
  'unprepared': sides.Case('nothing', _TURNS, _last, _nothing),
}
