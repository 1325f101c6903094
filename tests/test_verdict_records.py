"""Ranks of the first row, Holm's adjustment, and intervals of the excess."""

import math

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import optimize
from scipy import stats

from heterojax.stats import inference
from heterojax.verdict import alike
from heterojax.verdict import intervals
from heterojax.verdict import ranks
from heterojax.verdict import records


def test_p_value_counts_the_first_row_too() -> None:
  assert ranks.p_value(np.array([3.0, 1, 2, 0])) == 1 / 4
  assert ranks.p_value(np.array([3.0, 3, 2, 4])) == 3 / 4
  assert ranks.p_value(np.array([3.0, 3 - 1e-12, 2, 1]), 1e-9) == 2 / 4
  # Whole numbers that no float tells apart.
  large = np.array([2**80 + 1, 2**80, 2**80 + 2, 2**80 + 1], object)
  assert ranks.p_value(large) == 3 / 4


@hypothesis.given(
  st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12), st.randoms()
)
def test_total_is_the_same_for_any_order(terms: list, random) -> None:
  total = ranks.total(np.array(terms))
  random.shuffle(terms)
  assert ranks.total(np.array(terms)) == total
  assert total == pytest.approx(math.fsum(terms), abs=1e-6)


def test_standardised_leaves_out_what_does_not_vary() -> None:
  rows = np.array([[1.0, 0.1 + 0.2, 7.0], [3.0, 0.3, 7.0], [2.0, 0.3, 7.0]])
  z = ranks.standardised(rows)
  assert z[:, 0] == pytest.approx(np.array([-1, 1, 0]) * math.sqrt(1.5))
  assert np.isnan(z[:, 1:]).all()
  assert np.isnan(ranks.standardised(rows, rounding=1.0)).all()


def test_what_is_rounding_depends_on_the_size() -> None:
  noise = np.random.default_rng(0).standard_normal((20, 3))
  want = (noise - noise.mean(axis=0)) / noise.std(axis=0)
  with np.errstate(all='raise'):
    np.testing.assert_allclose(ranks.standardised(1e-6 * noise), want)
    assert np.isnan(ranks.standardised(1e6 + 1e-4 * noise)).all()
    assert np.isnan(ranks.standardised(0 * noise)).all()


def test_step_down_by_hand() -> None:
  z = np.array([
    [1.0, 3.0, np.nan, 2.0],
    [0.0, 2.0, np.nan, 2.5],
    [1.5, 0.0, np.nan, 0.0],
    [0.0, 3.5, np.nan, 0.0],
    [0.0, 0.0, np.nan, 0.0],
  ])
  # 3: rows 0 and 3. 2, without that column: rows 0 and 1, one of which had
  # been too many already. 1, alone: rows 0 and 2.
  assert ranks.step_down(z)[[1, 3, 0]].tolist() == [0.4, 0.4, 0.4]
  z[2, 3] = 2.1
  assert ranks.step_down(z)[[1, 3, 0]].tolist() == [0.4, 0.6, 0.6]
  assert np.isnan(ranks.step_down(z)[2])


@pytest.mark.parametrize(
  'given, adjusted',
  [
    # R: p.adjust(c(.01, .04, .03), 'holm')
    ((0.01, 0.04, 0.03), (0.03, 0.06, 0.06)),
    ((0.04, None, 0.03), (0.06, None, 0.06)),
    ((0.9, 0.8), (1.0, 1.0)),
    ((None,), (None,)),
    ((), ()),
  ],
)
def test_holm(given: tuple, adjusted: tuple) -> None:
  assert records.holm(given) == pytest.approx(adjusted)


def test_one_class_and_two_clusters_are_a_difference_of_proportions() -> None:
  # a_0 - e_0 is n_1 / n of the difference, whose interval by Newcombe's
  # method 10 (1998) is made of Wilson's.
  values = np.repeat([1, 0, 1, 0], [56, 14, 48, 32])
  labels = np.repeat([0, 1], [70, 80])
  effect, interval = intervals.of_excess(
    values, labels, 2, np.zeros(150, int), confidence=0.9
  )
  difference = 56 / 70 - 48 / 80
  assert effect == pytest.approx(difference * np.array([80, -70]) / 150)
  low, high = (inference.wilson(*x, 0.95) for x in ((56, 70), (48, 80)))
  newcombe = np.array([
    difference - math.hypot(56 / 70 - low[0], high[1] - 48 / 80),
    difference + math.hypot(low[1] - 56 / 70, 48 / 80 - high[0]),
  ])
  np.testing.assert_allclose(interval[0], newcombe * 80 / 150, atol=1e-12)
  np.testing.assert_allclose(interval[1], -newcombe[::-1] * 70 / 150)


def test_without_an_error_there_is_still_an_interval() -> None:
  effect, interval = intervals.of_excess(
    np.zeros(40, int), np.arange(40) % 2, 2, np.arange(40) // 20
  )
  assert effect.tolist() == [0, 0]
  assert np.all(interval[:, 0] < -0.05) and np.all(interval[:, 1] > 0.05)


def _of_one(mean: float, n: float, sd: float | None, freedom: float, at: float):
  """How far below and above its mean an interval of n images reaches."""
  if sd is not None:
    half = stats.t.ppf(at, freedom) * sd / np.sqrt(n)
    return half, half
  z = stats.norm.ppf(at)

  def off(p: float) -> float:
    return (p - mean) ** 2 - z**2 * p * (1 - p) / n

  # The mean is a root, too, where it is 0 or 1.
  low = optimize.brentq(off, 0, mean - 1e-9) if mean else 0
  high = optimize.brentq(off, mean + 1e-9, 1) if mean < 1 else 1
  return mean - low, high - mean


def _together(
  found: alike.Alike, patient: np.ndarray, labels: np.ndarray
) -> np.ndarray:
  """The covariance of images of variance 1."""
  same = np.equal.outer(patient, patient)
  inside = np.where(np.equal.outer(labels, labels), found.within, found.between)
  return np.where(np.eye(len(labels)) > 0, 1, same * inside)


@pytest.mark.parametrize('patients', [False, True])
@pytest.mark.parametrize('real', [False, True])
def test_intervals_cell_by_cell(real: bool, patients: bool) -> None:
  """Of clusters with an image or none in each cell, and of an empty one."""
  stream = np.random.default_rng(4)
  strata = np.append(np.arange(90) % 3, [0, 1, 2])
  labels = np.append(stream.choice(3, 90, p=[0.5, 0.3, 0.2]), [3, 3, 4])
  patient = np.append(stream.integers(25, size=90), [0, 0, 1])
  level = stream.normal(size=25)[patient] + stream.normal(size=93)
  values = level * (1 + labels) if real else (level > 0).astype(int)
  if real:
    values[:2] = 0, 1
  groups = patient if patients else None
  effect, interval = intervals.of_excess(values, labels, 6, strata, groups)
  assert np.isnan(effect[5]) and np.isnan(interval[5]).all()
  cell = alike.in_order(strata * 6 + labels)[1]
  found = alike.alike(values, cell, labels, 6, groups)
  covariance = _together(found, patient, labels)
  assert not patients or 0 < found.between < found.within
  at = 1 - 0.05 / 2 / 5
  cells = {
    (s, j): values[(strata == s) & (labels == j)]
    for s in range(3)
    for j in range(5)
  }
  squares, freedom, units = [], [], []
  for j in range(5):
    inside = (labels == j).astype(float)
    squares.append(
      sum(
        np.sum((v - v.mean()) ** 2)
        for (_, i), v in cells.items()
        if i == j and len(v)
      )
    )
    own = (
      found.freedom[j]
      if patients
      else sum(max(len(v) - 1, 0) for (_, i), v in cells.items() if i == j)
    )
    freedom.append(own)
    units.append(own * inside.sum() / (inside @ covariance @ inside))
  pooled = sum(squares), sum(freedom), sum(units)
  for j in 3, 4:
    assert units[j] < 1
    squares[j], freedom[j], units[j] = pooled
  for c in range(5):
    share = {s: len(cells[s, c]) / np.sum(labels == c) for s in range(3)}
    expected = sum(share[s] * values[strata == s].mean() for s in range(3))
    assert effect[c] == pytest.approx(values[labels == c].mean() - expected)
    counts = np.array([
      share[s]
      * ((j == c) - len(cells[s, j]) / np.sum(strata == s))
      / len(cells[s, j])
      for s, j in zip(strata, labels, strict=True)
    ])
    inflation = counts @ covariance @ counts / np.sum(counts**2)
    low = high = 0.0
    for j in range(5):
      mine = counts[labels == j]
      if not (total := mine.sum()):
        continue
      mean = mine @ values[labels == j] / total
      n = total**2 / np.sum(mine**2) / inflation
      squared = max(squares[j] / freedom[j], pooled[0] / pooled[1])
      sd = np.sqrt(squared) if real else None
      below, above = _of_one(mean, n, sd, units[j], at)
      if total < 0:
        below, above = above, below
      low, high = low + (total * below) ** 2, high + (total * above) ** 2
    assert interval[c] == pytest.approx([
      effect[c] - np.sqrt(low),
      effect[c] + np.sqrt(high),
    ])


@pytest.mark.parametrize('scale', [1e-3, 1e3])
def test_intervals_of_values_are_in_their_unit(scale: float) -> None:
  """Also of a cluster of which each image is alone in its cell."""
  values = np.random.default_rng(2).random(21)
  labels = np.array([0] * 12 + [1] * 7 + [2] * 2)
  strata = np.array([*np.arange(19) % 2, 0, 1])
  effect, interval = intervals.of_excess(values, labels, 3, strata)
  assert np.isfinite(interval).all()
  got = intervals.of_excess(scale * values, labels, 3, strata)
  np.testing.assert_allclose(got[0], scale * effect)
  np.testing.assert_allclose(got[1], scale * interval)


def test_a_cluster_alone_in_its_strata_has_no_effect() -> None:
  """As a site that is a fold by itself: its excess over itself says nothing."""
  labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
  strata = np.array([0, 0, 1, 1, 2, 2, 2, 2])
  wrong = np.array([1, 0, 1, 1, 1, 1, 0, 1])
  effect, interval = intervals.of_excess(wrong, labels, 3, strata)
  np.testing.assert_array_equal(effect, [np.nan, 0.25, -0.25])
  assert np.isnan(interval[0]).all() and np.isfinite(interval[1:]).all()


def test_images_of_one_patient_say_less() -> None:
  generator = np.random.default_rng(0)
  labels = np.repeat(generator.integers(2, size=60), 4)
  values = np.repeat((generator.random(60) < 0.3).astype(int), 4)
  groups = np.repeat(np.arange(60), 4)
  strata = np.zeros(240, int)
  _, images = intervals.of_excess(values, labels, 2, strata)
  _, patients = intervals.of_excess(values, labels, 2, strata, groups)
  _, once = intervals.of_excess(values[::4], labels[::4], 2, strata[::4])
  # All four are alike: as if each patient had one.
  assert np.ptp(patients, axis=1) == pytest.approx(
    np.ptp(once, axis=1), rel=0.1
  )
  assert np.all(np.ptp(patients, axis=1) > 1.5 * np.ptp(images, axis=1))


def test_intervals_hold_where_patients_have_images_of_both_classes() -> None:
  generator = np.random.default_rng(0)
  patient = np.repeat(np.arange(40), 10)
  sets, covered = 300, 0
  for _ in range(sets):
    y = generator.integers(2, size=400)
    labels = generator.integers(3, size=40)[patient]
    # A patient's images are wrong together; no cluster is any worse.
    level = generator.random(40)[patient]
    level = np.where(generator.random(400) < 0.9, level, generator.random(400))
    wrong = (level < np.array([0.2, 0.3])[y]).astype(int)
    _, interval = intervals.of_excess(wrong, labels, 3, y, patient)
    covered += np.all((interval[:, 0] <= 0) & (interval[:, 1] >= 0))
  assert covered / sets > 0.95 - 3 * np.sqrt(0.95 * 0.05 / sets)


def _covers(kind: str, stream: np.random.Generator) -> bool:
  """Whether intervals of three clusters hold what their means let expect."""
  n, of_patient, folds = {
    'small cells': (200, 1, 10),
    'many classes': (100, 1, 8),
    'squares': (300, 1, 1),
    'unequal deviations': (300, 1, 1),
    'few patients': (30, 10, 5),
  }[kind]
  patient = np.repeat(np.arange(n), of_patient)
  strata = (np.arange(n) % folds)[patient]
  ends = [0.2, 0.36, 0.52, 0.68, 0.84] if kind == 'squares' else [0.2, 0.6]
  k = 1 + len(ends)
  labels = np.searchsorted(ends, stream.permutation(n) / n)[patient]
  mean = np.full(len(labels), 0.4)
  if kind == 'many classes':
    mean = np.linspace(0.05, 0.7, folds)[strata]
  elif kind == 'unequal deviations':
    # Distances that are twice as large vary twice as much.
    mean = np.where(labels == 0, 2.0, 1.0)
  if kind in ('small cells', 'many classes'):
    values = (stream.random(len(labels)) < mean).astype(int)
  elif kind == 'few patients':
    values = mean + stream.normal(size=n)[patient]
    values += 0.8 * stream.normal(size=len(labels))
  elif kind == 'squares':  # Of errors that are normal.
    values = mean * stream.normal(size=n) ** 2
  else:
    values = stream.gamma(2, mean / 2)
  of_strata = np.bincount(strata, mean) / np.bincount(strata)
  truth = np.bincount(labels, mean - of_strata[strata]) / np.bincount(labels)
  groups = patient if of_patient > 1 else None
  _, interval = intervals.of_excess(values, labels, k, strata, groups)
  # A mean that is the expected one may differ from it in its last bits.
  inside = interval + np.array([-1e-12, 1e-12])
  return bool(np.all((inside[:, 0] <= truth) & (truth <= inside[:, 1])))


@pytest.mark.parametrize(
  'kind',
  [
    'small cells',
    'many classes',
    'squares',
    'unequal deviations',
    'few patients',
  ],
)
def test_intervals_hold_of_small_cells_and_unequal_clusters(kind: str) -> None:
  stream = np.random.default_rng(0)
  sets = 400
  held = np.mean([_covers(kind, stream) for _ in range(sets)])
  assert held > 0.95 - 3 * np.sqrt(0.95 * 0.05 / sets)


def test_nothing_is_known_of_strata_whose_cells_have_one_image() -> None:
  _, interval = intervals.of_excess(
    np.array([0.3, 0.5, 0.7, 0.1]),
    np.array([0, 1, 0, 1]),
    2,
    np.array([0, 0, 1, 1]),
  )
  assert np.all(interval == [-np.inf, np.inf])


@pytest.mark.medium
@pytest.mark.parametrize('real', [False, True])
def test_intervals_cover_all_clusters_together(real: bool) -> None:
  generator = np.random.default_rng(0)
  rates = np.array([[0.05, 0.1, 0.1, 0.3], [0.2, 0.2, 0.3, 0.5]])
  covered = []
  for _ in range(150):
    labels = generator.integers(4, size=200)
    y = (generator.random(200) < 0.2 + 0.2 * labels).astype(int)
    p = rates[y, labels]
    values = generator.gamma(4, p / 4) if real else generator.random(200) < p
    table = np.bincount(y * 4 + labels, minlength=8).reshape(2, 4)
    means = np.sum(rates * table, axis=1) / table.sum(axis=1)
    truth = np.sum((rates - means[:, np.newaxis]) * table, axis=0)
    truth /= table.sum(axis=0)
    _, interval = intervals.of_excess(values, labels, 4, y)
    covered.append(
      np.all((interval[:, 0] <= truth) & (truth <= interval[:, 1]))
    )
  assert np.mean(covered) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150)
