"""p-values of columns where patients have several images."""

import jax
import numpy as np
import pytest
from scipy import stats

from heterojax.verdict import associations

_K = 4


def _patients(
  seed: int, patients: int = 15, images: int = 10
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
  """Patients of images, and clusters in which most of a patient's lie."""
  rng = np.random.default_rng(seed)
  units = np.repeat(np.arange(patients), images)
  own = rng.integers(_K, size=len(units))
  clusters = rng.integers(_K, size=patients)[units]
  return units, np.where(rng.random(len(units)) < 0.8, clusters, own), rng


def _brute(values: np.ndarray, rows: np.ndarray) -> float:
  """The same with scipy's statistics of each row."""
  found = []
  for groups in rows:
    if values.dtype.kind == 'f':
      known = ~np.isnan(values)
      of = [values[known & (groups == g)] for g in np.unique(groups)]
      found.append(stats.f_oneway(*[v for v in of if len(v)]).statistic)
    else:
      table = stats.contingency.crosstab(values, groups).count
      found.append(stats.chi2_contingency(table, correction=False).statistic)
  return float(np.mean(np.array(found) >= found[0] * (1 - 1e-9)))


@pytest.mark.parametrize('kind', ['text', 'number', 'missing'])
def test_p_is_the_rank_of_the_observed_association(kind: str) -> None:
  for seed in range(5):
    units, clusters, rng = _patients(seed)
    values: np.ndarray = rng.choice(list('abcde'), 15)[units]
    if kind != 'text':
      values = rng.normal(1e4, 1.0, 15)[units] + 0.1 * rng.normal(size=150)
    if kind == 'missing':
      values[rng.random(150) < 0.2] = np.nan
    of = associations.exchanged(clusters, units, jax.random.key(seed))
    assert of.rows.shape == (200, 150)
    assert associations.p_value(values, of) == _brute(values, of.rows)


def test_few_patients_are_no_association() -> None:
  sets, of_images, of_patients = 200, 0, 0
  for seed in range(sets):
    units, clusters, rng = _patients(seed)
    values = rng.choice(list('abcde'), 15)[units]
    table = stats.contingency.crosstab(values, clusters).count
    of_images += stats.chi2_contingency(table).pvalue <= 0.05
    of = associations.exchanged(clusters, units, jax.random.key(seed))
    of_patients += associations.p_value(values, of) <= 0.05
  assert of_images > sets / 2
  assert of_patients <= stats.binom.ppf(0.999, sets, 0.05)


def test_a_column_of_patients_is_found() -> None:
  units, clusters, _ = _patients(0, 40)
  of_patient = np.array([
    np.bincount(c).argmax() for c in np.split(clusters, 40)
  ])
  of = associations.exchanged(clusters, units, jax.random.key(0))
  for values in (of_patient[units].astype(str), of_patient[units] / 3):
    assert associations.p_value(values, of) == 1 / 200


def test_patients_like_no_other_have_no_p_value() -> None:
  units = np.repeat(np.arange(6), np.arange(1, 7))
  of = associations.exchanged(units % 2, units, jax.random.key(0))
  assert of.why.startswith('only 0% of the images are of a patient')


def test_what_does_not_vary_goes_with_nothing() -> None:
  units, clusters, _ = _patients(0)
  of = associations.exchanged(clusters, units, jax.random.key(0))
  for values in (np.zeros(150), np.full(150, 'a')):
    assert associations.p_value(values, of) == 1


def test_half_of_the_images_is_enough() -> None:
  """Two patients of three images can change places, one of six cannot."""
  units = np.repeat([0, 1, 2], [3, 3, 6])
  clusters = np.tile([0, 1], 6)
  of = associations.exchanged(clusters, units, jax.random.key(0))
  assert not of.why and len(of.rows) == 1 + associations.DRAWS
  units = np.repeat([0, 1, 2], [3, 3, 7])
  clusters = np.append(clusters, 0)
  of = associations.exchanged(clusters, units, jax.random.key(0))
  assert of.why and len(of.rows) == 1
