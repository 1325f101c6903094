"""Cases whose times are known, for the tests of the benchmarks."""

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


CASES = {
    'toy': sides.Case(
        'sleeps',
        {
            'ours': _sleeps(0.02, 1.0),
            'slow': _sleeps(0.1, 3.0, 0.5),
            'absent': _absent,
            'broken': _broken,
            'hungry/100 MB': _hungry,
        },
        lambda ours, theirs: {'gap': float(theirs['value'] - ours['value'])},
        lambda scale: (scale.folder / 'prepared').touch(),
    )
}
