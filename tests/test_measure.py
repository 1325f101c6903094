"""The three questions, asked of the folds of a study."""

import jax
import numpy as np
import pytest

from heterojax.records.codec import Missing
from heterojax.studies.answer import measure
from heterojax.verdict import detectable
from heterojax.verdict import worlds

_K = 3
_DRAWS = measure.Draws(worlds=19, partitions=19, exchanges=99)


def _split(d: int = 6, n: int = 120):
  world = worlds.three_groups(worlds.key(2, 'three_groups'), n, d)
  part = np.arange(n) % 4 == 0
  wrong = np.random.default_rng(0).random(n) < 0.2
  split = measure.Split(
    np.flatnonzero(~part), np.flatnonzero(part), world.group, wrong
  )
  return split, np.asarray(world.x, np.float64), world.y


def _asked(x: np.ndarray, *, standardised: bool = False) -> measure.Found:
  split, _, y = _split()
  return measure.classification(
    [split],
    [x],
    y,
    np.arange(len(y)),
    _K,
    jax.random.key(0),
    _DRAWS,
    standardised=standardised,
  )


@pytest.mark.slow
def test_columns_in_other_units_are_the_same_question() -> None:
  _, x, _ = _split()
  first = _asked(x, standardised=True).measured
  second = _asked(x * 10.0 ** np.arange(6) + 5, standardised=True).measured
  assert first.one_rule.p_value == second.one_rule.p_value
  assert first.teaches_less.p_value == second.teaches_less.p_value
  for one, other in zip(first.decomposition, second.decomposition, strict=True):
    assert one.gap == other.gap
  assert sum(tested.n for tested in first.tested) == len(x)


@pytest.mark.slow
def test_many_images_are_seen_in_principal_components(monkeypatch) -> None:
  """All of the variance is in as many components as there are columns."""
  split, x, y = _split()
  whole = _asked(x).measured
  wide = np.concatenate([x, np.zeros((len(x), 30))], axis=1)
  monkeypatch.setattr(measure, 'MANY', 10)
  monkeypatch.setattr(measure, 'COMPONENTS', 6)
  reduced = _asked(wide).measured
  assert whole.one_rule.p_value == reduced.one_rule.p_value
  assert whole.rule.accuracy == reduced.rule.accuracy


def test_of_numbers_only_the_first_question_is_asked() -> None:
  split, _, _ = _split()
  squared = split._replace(wrong=np.random.default_rng(1).random(120) ** 2)
  found = measure.uneven_alone(
    [squared], None, np.arange(120), _K, jax.random.key(0), _DRAWS, 'numbers'
  ).measured
  assert 0 < found.uneven.p_value <= 1
  assert found.uneven.given_one_rule == Missing('numbers')
  assert found.one_rule.p_value == Missing('numbers')


def test_one_patient_cannot_be_asked() -> None:
  split, x, y = _split()
  found = measure.classification(
    [split],
    [x],
    y,
    np.zeros(120, int),
    _K,
    jax.random.key(0),
    _DRAWS,
    standardised=True,
  ).measured
  assert found.one_rule.p_value == Missing('all images are of one patient')


@pytest.mark.slow
def test_what_would_be_found_is_that_of_p_values_for_three_questions() -> None:
  split, x, y = _split()
  measured = _asked(x).measured
  found = [one.accuracy_points for one in measured.detectable]
  strata = y[split.test].astype(int)
  wrong, labels = split.wrong[split.test].astype(int), split.labels[split.test]
  expected = detectable.accuracy_points(wrong, strata, labels, _K, 0.05 / 3)
  np.testing.assert_allclose(found, expected)
