"""How much images of one patient vary together."""

import jax
import numpy as np
import pytest

from heterojax.verdict import alike as alike_lib
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import intervals
from heterojax.verdict import uneven

_K = 3


def _same(of: np.ndarray) -> np.ndarray:
  return (of[:, np.newaxis] == of).astype(float)


def _patients() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Patients, clusters, cells and values with both correlations."""
  stream = np.random.default_rng(0)
  patient = np.repeat(np.arange(30), stream.integers(1, 9, size=30))
  labels = stream.integers(_K, size=len(patient))
  cell = alike_lib.in_order(
    stream.integers(2, size=len(patient)) * _K + labels
  )[1]
  values = stream.normal(size=30)[patient]
  values += stream.normal(size=(30, _K))[patient, labels]
  return patient, labels, cell, values + stream.normal(size=len(patient))


def test_correlations_are_those_that_give_the_squares_that_were_seen() -> None:
  patient, labels, cell, values = _patients()
  found = alike_lib.alike(values, cell, labels, _K, patient)
  assert 0.1 < found.between < found.within < 0.9
  whole = _same(patient)
  inside = whole * _same(labels)
  centred = np.eye(len(cell)) - _same(cell) / np.bincount(cell)[cell]
  covariance = (
    (1 - found.within) * np.eye(len(cell))
    + (found.within - found.between) * inside
    + found.between * whole
  )
  expected = centred @ covariance @ centred
  residuals = centred @ values
  for together in (inside, whole):
    assert np.trace(together @ expected) / np.trace(expected) == pytest.approx(
      residuals @ together @ residuals / (residuals @ residuals)
    )
  np.testing.assert_allclose(
    found.freedom, np.bincount(labels, np.diag(expected), _K)
  )
  n = np.bincount(cell)
  sums = np.eye(len(n))[cell]
  of_cells = found.covariance(cell, len(n))
  np.testing.assert_allclose(of_cells.toarray(), sums.T @ covariance @ sums)
  influence = np.random.default_rng(1).normal(size=(2, len(n)))
  of_images = influence[:, cell]
  np.testing.assert_allclose(
    alike_lib.inflation(influence, n, of_cells),
    np.diag(of_images @ covariance @ of_images.T)
    / np.sum(of_images**2, axis=1),
  )


def _excesses(
  labels: np.ndarray, strata: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
  """How much each image counts in the excess of each cluster; sizes."""
  by = np.zeros((k, len(labels)))
  for j in range(k):
    for i, stratum in enumerate(strata):
      share = np.mean(labels[strata == stratum] == j)
      by[j, i] = (labels[i] == j) - share
  return by, np.array([max(1, np.sum(labels == j)) for j in range(k)])


@pytest.mark.parametrize('seed', [1, 953])
def test_what_exchanges_do_not_keep_is_a_ratio_of_variances(seed: int) -> None:
  stream = np.random.default_rng(seed)
  patient = np.repeat(np.arange(12), stream.integers(1, 6, size=12))
  n, k = len(patient), 6
  strata = np.arange(n) % 2
  labels = stream.choice(3, n, p=stream.dirichlet([1, 1, 1]))
  labels[0] = 3  # Alone in its cluster.
  values = stream.normal(size=(12, k))[patient, labels]
  values += 0.3 * stream.normal(size=n)
  if seed == 1:
    values += stream.normal(size=12)[patient]
  # A cluster with a stratum of its own, and after it an empty one.
  labels, strata = np.append(labels, [4, 4]), np.append(strata, [2, 2])
  patient, values = np.append(patient, [12, 12]), np.append(values, [0.5, -0.7])
  ratio, of_all = alike_lib.beyond_exchange(values, strata, labels, k, patient)
  cell = alike_lib.in_order(strata * k + labels)[1]
  found = alike_lib.alike(values, cell, labels, k, patient)
  assert (found.between > 0.05) == (seed == 1)
  # A patient's two images, whichever they are, change places with others'.
  inside, across = [], []
  for i, own in enumerate(patient):
    for j in np.flatnonzero(patient == own):
      if i != j:
        (inside if labels[i] == labels[j] else across).append(1)
  pairs = len(inside) + len(across)
  mean = (found.within * len(inside) + found.between * len(across)) / pairs
  whole = _same(patient) - np.eye(len(patient))
  here = np.eye(len(patient)) + np.where(
    _same(labels) > 0, found.within * whole, found.between * whole
  )
  there = np.eye(len(patient)) + mean * whole
  by, sizes = _excesses(labels, strata, k)
  seen, kept = (np.diag(by @ one @ by.T) for one in (here, there))
  assert np.all(kept[4:] == 0)
  wanted = np.append(np.maximum(seen[:4] / kept[:4], 1), [1, 1])
  assert wanted.max() > 1.1
  # An exchange that keeps more takes no draw closer.
  assert seed == 1 or np.min(seen[:4] / kept[:4]) < 0.95
  np.testing.assert_allclose(ratio, wanted)
  assert of_all == pytest.approx(
    np.sum(wanted * kept / sizes) / np.sum(kept / sizes)
  )


def test_where_patients_stay_their_means_are_no_part_of_draws() -> None:
  patient, labels, cell, values = _patients()
  strata = np.arange(len(patient)) % 2
  orbits = exchanges.exchange(strata, patient).orbits
  found = alike_lib.alike(
    values, alike_lib.in_order(strata * _K + labels)[1], labels, _K, patient
  )
  here, there = (
    np.where(
      _same(labels) > 0,
      one.within * _same(patient),
      one.between * _same(patient),
    )
    + np.diag(1 - np.full(len(patient), one.within))
    for one in (found, found.exchanged())
  )
  whole, drawn = (_excesses(labels, of, _K)[0] for of in (strata, orbits))
  # Of the mean of draws: what images of an orbit add that are all its mean.
  mean = whole - drawn
  assert np.max(np.abs(mean)) > 0.1
  of_draws = np.diag(drawn @ there @ drawn.T)
  # In draws alone excess and mean are not related.
  np.testing.assert_allclose(
    np.diag(whole @ there @ whole.T) - np.diag(mean @ there @ mean.T), of_draws
  )
  lacked = np.diag(whole @ here @ whole.T) - np.diag(mean @ here @ mean.T)
  ratio, _ = alike_lib.beyond_exchange(
    values, strata, labels, _K, patient, orbits
  )
  np.testing.assert_allclose(ratio, lacked / of_draws)
  assert np.min(ratio) > 1.05


def test_exchanges_keep_what_is_in_one_cluster_or_alike_in_all() -> None:
  patient, labels, _, values = _patients()
  strata = np.arange(len(patient)) % 2
  one = patient % _K
  ratio, of_all = alike_lib.beyond_exchange(values, strata, one, _K, patient)
  assert np.all(ratio == 1) and of_all == 1
  none = np.zeros_like(labels)
  assert alike_lib.beyond_exchange(values, strata, none, 1, patient)[1] == 1
  # In all clusters alike: as far as the two correlations are one.
  of_patient = np.random.default_rng(3).normal(size=30)[patient]
  cell = alike_lib.in_order(strata * _K + labels)[1]
  found = alike_lib.alike(of_patient, cell, labels, _K, patient)
  assert found.within > 0.95 and found.between > 0.9
  ratio, of_all = alike_lib.beyond_exchange(
    of_patient, strata, labels, _K, patient
  )
  assert np.all(ratio >= 1) and np.max(ratio) < 1.2 and 1 <= of_all < 1.2


def test_without_patients_or_a_difference_none_are_alike() -> None:
  patient, labels, cell, values = _patients()
  for groups, of in (None, values), (patient, np.zeros(len(patient))):
    found = alike_lib.alike(of, cell, labels, _K, groups)
    assert found.within == 0 and found.between == 0
  # A sum in which no image counts varies as it would.
  counts = np.bincount(cell)
  covariance = alike_lib.alike(values, cell, labels, _K, patient).covariance(
    cell, len(counts)
  )
  none = np.zeros((1, len(counts)))
  assert alike_lib.inflation(none, counts, covariance) == [1]


def test_cells_of_one_patient_cannot_tell_and_so_patients_are_the_units():
  patient, _, _, values = _patients()
  k = patient.max() + 1
  assert alike_lib.alike(values, patient, patient, k, patient).within == 1


def test_where_a_patient_has_all_right_or_all_wrong_nothing_is_certain():
  # Each has an image in both clusters, which never differ.
  wrong, cell = np.repeat(np.arange(20) < 6, 2).astype(int), np.arange(40) % 2
  effect, interval = intervals.of_excess(
    wrong,
    cell,
    2,
    np.zeros(40, int),
    np.repeat(np.arange(20), 2),
  )
  assert effect == pytest.approx([0, 0])
  patient = np.repeat(np.arange(20), 2)
  found = alike_lib.alike(wrong, cell, cell, 2, patient)
  # As if one patient more were alike in no two clusters.
  assert found.within == 1 and found.between == pytest.approx(20 / 21)
  assert np.all(interval[:, 0] < -0.01) and np.all(interval[:, 1] > 0.01)


def _errors(
  stream: np.random.Generator, patient: np.ndarray, of_cluster: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Classes, clusters and errors of 400 images of 40 patients.

  Images of a patient are wrong together in all clusters, or in each by itself.
  """
  y = stream.integers(2, size=400)
  labels = stream.integers(_K, size=400)
  level = stream.random((40, _K))[patient, labels if of_cluster else 0]
  level = np.where(stream.random(400) < 0.9, level, stream.random(400))
  wrong = (level < np.array([0.2, 0.3])[y]).astype(int)
  return y, labels, wrong


@pytest.mark.parametrize('of_cluster', [False, True])
def test_intervals_hold_as_often_as_said_of_patients_in_several_clusters(
  of_cluster: bool,
) -> None:
  """Images of a patient are alike in all clusters, or in each by itself."""
  stream = np.random.default_rng(0)
  patient = np.repeat(np.arange(40), 10)
  sets, held = 400, 0
  for _ in range(sets):
    y, labels, wrong = _errors(stream, patient, of_cluster)
    _, interval = intervals.of_excess(wrong, labels, _K, y, patient)
    held += np.all((interval[:, 0] <= 0) & (interval[:, 1] >= 0))
  assert abs(held / sets - 0.95) < 3 * np.sqrt(0.95 * 0.05 / sets)


@pytest.mark.parametrize('of_cluster', [False, True])
def test_a_worse_cluster_is_seen_as_seldom_as_said(of_cluster: bool) -> None:
  """None is worse; a patient's images are alike in all clusters or in one."""
  stream = np.random.default_rng(0)
  patient = np.repeat(np.arange(40), 10)
  sets, seen = 150, np.zeros(2)
  for i in range(sets):
    y, labels, wrong = _errors(stream, patient, of_cluster)
    test = uneven.test(
      wrong, y, labels, _K, key=jax.random.key(i), groups=patient, draws=59
    )
    assert test.p_value is not None
    seen += test.p_value <= 0.05, np.min(test.adjusted) <= 0.05
  assert np.all(seen / sets < 0.05 + 3 * np.sqrt(0.05 * 0.95 / sets))


def test_where_no_patient_is_in_two_clusters_none_are_alike_between() -> None:
  stream = np.random.default_rng(4)
  patient = np.repeat(np.arange(20), 3)
  labels, values = patient % 2, stream.random(60)
  found = alike_lib.alike(values, labels, labels, 2, patient)
  assert found.between == 0 and 0 <= found.within <= 1
