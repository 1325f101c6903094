"""Quick calibration: how often the tests speak, in worlds of known truth.

Limits are three standard errors around what `benchmarks.calibration` measured
with more sets; the long lane is that benchmark.
"""

import json
import pathlib

import jax
import numpy as np
import pytest

from benchmarks import calibration as long_lane
from heterojax.verdict import calibration
from heterojax.verdict import worlds

_SETS = 40
_MEASURED = pathlib.Path(__file__).parent.parent / 'docs' / 'calibration.json'


def _share(name: str, d: int, sets: int = _SETS) -> float:
  found = []
  for number in range(sets):
    made = calibration.made(name, 7, number, 300, 200, d, None)
    key = worlds.key(8, name, d, number)
    p = calibration.one_rule_p(made, key, 99).test.p_value
    found.append(p is not None and p <= calibration.LEVEL)
  return float(np.mean(found))


@pytest.mark.slow
@pytest.mark.parametrize('name', ['one_cloud', 'three_groups'])
def test_one_rule_is_seldom_called_several(name: str) -> None:
  rate = 0.05
  assert _share(name, 16) <= rate + 3 * np.sqrt(rate * (1 - rate) / _SETS)


@pytest.mark.slow
def test_a_turned_rule_is_found() -> None:
  assert _share('turned_90', 16) >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / _SETS)


def test_errors_that_know_their_class_alone_are_not_uneven() -> None:
  sets, rate = 300, 0.05
  found = [calibration.uneven_p(200, 7, i, 199) for i in range(sets)]
  share = np.mean([p is not None and p <= 0.05 for p in found])
  assert abs(share - rate) <= 3 * np.sqrt(rate * (1 - rate) / sets)


@pytest.mark.slow
def test_clusters_that_mean_nothing_teach_as_much_as_random_sets() -> None:
  found = []
  for number in range(_SETS):
    made = calibration.made('one_cloud', 7, number, 150, 100, 8, None)
    p = calibration.teaches_less_p(made, jax.random.key(number), 99)
    found.append(p is not None and p <= 0.05)
  assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / _SETS)


@pytest.mark.parametrize('name', worlds.WORLDS)
def test_a_set_is_the_same_every_time(name: str) -> None:
  first, second = (
    calibration.made(name, 1, 2, 30, 20, 4, None) for _ in range(2)
  )
  np.testing.assert_array_equal(first.y, second.y)
  np.testing.assert_array_equal(first.folds[0].labels, second.folds[0].labels)
  assert first.folds[0].c == second.folds[0].c
  other = calibration.made(name, 1, 3, 30, 20, 4, None)
  assert not np.array_equal(first.y, other.y)


def test_the_table_is_that_of_the_numbers() -> None:
  known = json.loads(_MEASURED.read_text('utf-8'))
  written = _MEASURED.with_suffix('.md').read_text('utf-8')
  assert long_lane.table(known) == written


def test_a_file_that_is_gone_on_with_stays_what_it_was() -> None:
  text = _MEASURED.read_text('utf-8')
  assert long_lane.stored(json.loads(text)) == text


def test_rounding_of_a_file_decides_no_set() -> None:
  draws = range(1, 1000)
  p = [(1 + b) / (1 + n) for n in draws for b in range(n // 20 + 2)]
  done = {'p': p, 'miss': [None], 'seconds': 0}
  kept = json.loads(long_lane.stored({'': done}))['']
  assert long_lane.share(kept) == long_lane.share(done)
