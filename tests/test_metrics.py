"""Scores against scikit-learn, and what cannot be estimated."""

import json

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from heterojax.stats import metrics

# Few values, so that ties and exactly 0.5 are frequent.
_PROBABILITIES = st.one_of(
  st.sampled_from([0.0, 0.25, 0.5, np.nextafter(0.5, 1), 0.75, 1.0]),
  st.floats(0, 1),
)
_ROWS = st.lists(
  st.tuples(st.integers(0, 1), _PROBABILITIES), min_size=1, max_size=30
)


@pytest.mark.medium
@hypothesis.given(rows=_ROWS)
def test_score_is_scikit_learns(rows: list[tuple[int, float]]) -> None:
  y, p = (np.array(column) for column in zip(*rows))
  got = metrics.score(y, p)
  predicted = p > 0.5
  tn, fp, fn, tp = sklearn_metrics.confusion_matrix(
    y, predicted, labels=[0, 1]
  ).ravel()
  counts = {'n': len(y), 'tp': tp, 'fp': fp, 'tn': tn, 'fn': fn}
  assert {name: got[name] for name in metrics.COUNTS} == counts
  assert got['accuracy'] == pytest.approx(
    sklearn_metrics.accuracy_score(y, predicted)
  )
  if y.any():
    assert got['sensitivity'] == pytest.approx(
      sklearn_metrics.recall_score(y, predicted)
    )
  if not y.all():
    assert got['specificity'] == pytest.approx(
      sklearn_metrics.recall_score(1 - y, ~predicted)
    )
  if y.any() and not y.all():
    assert got['auc'] == pytest.approx(sklearn_metrics.roc_auc_score(y, p))
  assert list(got['intervals']) == list(metrics.METRICS)
  for name, interval in got['intervals'].items():
    assert (got[name] is None) == (f'{name}_why' in got) == (interval is None)
    if interval is not None:
      low, high = interval
      assert 0 <= low <= got[name] + 1e-12 and got[name] - 1e-12 <= high <= 1
      assert high - low > 0.01  # No 30 images are certain.
  # Plain Python numbers and lists.
  assert json.loads(json.dumps(got, allow_nan=False)) == got


def test_hand_value() -> None:
  got = metrics.score(
    np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.6, 0.2, 0.6, 0.1])
  )
  assert got == {
    'n': 5,
    'tp': 2,
    'fp': 1,
    'tn': 1,
    'fn': 1,
    'accuracy': 3 / 5,
    # Of the six pairs four are in order and one is tied.
    'auc': 4.5 / 6,
    'sensitivity': 2 / 3,
    'specificity': 1 / 2,
    'intervals': {
      # (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2))
      # / (1 + z^2 / n)
      'accuracy': pytest.approx([0.230724, 0.882379], abs=1e-6),
      # Of each positive 1, 3/4 and 1/2 of the negatives are below, of each
      # negative 1/2 and 1 of the positives above: the variance is
      # (1/16) / 3 + (1/8) / 2 = 1/12, and log 3 -+ 3.01756 on the logit
      # scale.
      'auc': pytest.approx([0.127979, 0.983955], abs=1e-6),
      'sensitivity': pytest.approx([0.207660, 0.938508], abs=1e-6),
      'specificity': pytest.approx([0.094531, 0.905469], abs=1e-6),
    },
  }


def test_exactly_half_is_negative() -> None:
  got = metrics.score(np.array([1, 0]), np.array([0.5, 0.5]))
  assert (got['tp'], got['fp'], got['tn'], got['fn']) == (0, 0, 1, 1)
  got = metrics.score(np.array([1, 0]), np.full(2, np.nextafter(0.5, 1)))
  assert (got['tp'], got['fp'], got['tn'], got['fn']) == (1, 1, 0, 0)
  assert metrics.probability(np.zeros(1)) == 0.5


def test_one_class() -> None:
  got = metrics.score(np.ones(3, int), np.array([0.9, 0.1, 0.8]))
  assert got['accuracy'] == got['sensitivity'] == pytest.approx(2 / 3)
  assert got['specificity'] is None and got['auc'] is None
  assert (
    got['specificity_why'] == got['auc_why'] == ('all 3 images are positive')
  )
  assert 'accuracy_why' not in got and 'sensitivity_why' not in got
  intervals = got['intervals']
  assert intervals['specificity'] is None and intervals['auc'] is None
  assert intervals['accuracy'] == intervals['sensitivity']
  got = metrics.score(np.zeros(2, int), np.array([0.9, 0.1]))
  assert got['specificity'] == 0.5
  assert got['sensitivity'] is None and got['auc'] is None
  assert got['sensitivity_why'] == 'all 2 images are negative'


def test_no_images() -> None:
  got = metrics.score(np.zeros(0, int), np.zeros(0))
  for name in metrics.METRICS:
    assert got[name] is None
    assert got[f'{name}_why'] == 'no images'
    assert got['intervals'][name] is None
  assert {got[name] for name in metrics.COUNTS} == {0}


@pytest.mark.parametrize('flipped', [False, True])
def test_auc_is_that_of_logits_whose_probabilities_are_all_one(flipped) -> None:
  y, logits = np.array([0, 1, 0, 1, 1]), np.array([40.0, 45, 50, 60, 800])
  if flipped:  # The other class is called positive.
    y, logits = 1 - y, -logits
  p = metrics.probability(logits)
  got = metrics.score(y, p, logits)
  assert got['auc'] == pytest.approx(5 / 6)
  assert sklearn_metrics.roc_auc_score(y, logits) == pytest.approx(5 / 6)
  low, high = got['intervals']['auc']
  assert low < got['auc'] < high
  assert got['accuracy'] == metrics.score(y, p)['accuracy'] == 0.6


def test_probability() -> None:
  logits = np.array([-800, -40, -1, 0, 1, 18, 30, 800], np.float32)
  got = metrics.probability(logits)
  assert got.dtype == np.float64
  np.testing.assert_allclose(
    got[1:-1], 1 / (1 + np.exp(-logits[1:-1].astype(np.float64))), rtol=1e-15
  )
  assert got[0] == 0 and got[-1] == 1
  # Float32 could not tell these two apart, and their order is the AUC.
  assert got[5] < got[6] < 1
  assert np.float32(got[5]) == np.float32(got[6]) == 1


@pytest.mark.medium
@hypothesis.given(
  rows=st.lists(
    st.tuples(st.integers(0, 1), st.integers(-3, 3)),
    min_size=2,
    max_size=20,
  ).filter(lambda rows: len({label for label, _ in rows}) == 2)
)
def test_auc_counts_pairs(rows: list[tuple[int, int]]) -> None:
  positives = [value for label, value in rows if label]
  negatives = [value for label, value in rows if not label]
  wins = sum((p > n) + 0.5 * (p == n) for p in positives for n in negatives)
  y, values = (np.array(column) for column in zip(*rows))
  got = metrics.auc(y, values)
  assert got == pytest.approx(wins / (len(positives) * len(negatives)))
  assert metrics.auc(y, -values) == pytest.approx(1 - got)
  # Ranks alone count.
  assert metrics.auc(y, np.exp(values)) == got


def test_mean_score() -> None:
  y = np.array([1, 1, 0, 0])
  runs = [
    metrics.score(y, np.array(p))
    for p in ([0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.1, 0.8])
  ]
  got = metrics.mean_score(runs)
  assert got['n'] == 4 and got['tp'] == 1.5 and got['fp'] == 0.5
  # In the second run 0.9 beats both, and 0.1 is tied with one.
  assert got['accuracy'] == 0.75 and got['auc'] == (1 + 2.5 / 4) / 2
  assert not [name for name in got if name.endswith('_why')]
  # The runs share their images: an interval of the mean is not theirs.
  assert 'intervals' not in got
  json.dumps(got, allow_nan=False)


def test_mean_score_without_an_estimate() -> None:
  y = np.ones(2, int)
  runs = [metrics.score(y, np.array(p)) for p in ([0.9, 0.2], [0.9, 0.8])]
  got = metrics.mean_score(runs)
  assert got['accuracy'] == got['sensitivity'] == 0.75
  assert got['auc'] is None and got['specificity'] is None
  assert got['auc_why'] == 'all 2 images are positive'
  assert 'accuracy_why' not in got


_TARGETS = st.lists(
  st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=20
)


@pytest.mark.medium
@hypothesis.given(rows=_TARGETS)
def test_regression_score_is_scikit_learns(rows: list) -> None:
  y, predicted = np.array(rows).T
  got = metrics.regression_score(y, predicted)
  rmse = sklearn_metrics.root_mean_squared_error(y, predicted)
  assert got['n'] == len(y)
  assert got['rmse'] == pytest.approx(rmse)
  assert got['mean_absolute_error'] == pytest.approx(
    sklearn_metrics.mean_absolute_error(y, predicted)
  )
  scales = (max(y) - min(y), np.mean(y), np.std(y) if len(set(y)) > 1 else 0)
  for name, scale in zip(metrics.NORMALISED, scales):
    assert (got[name] is None) == (f'{name}_why' in got) == (scale <= 0)
    if scale > 0:
      assert got[name] == pytest.approx(1 - rmse / scale)
  if got['one_minus_nrmse_std'] is not None and np.std(y) > 1e-3:
    r2 = sklearn_metrics.r2_score(y, predicted)
    assert (1 - got['one_minus_nrmse_std']) ** 2 == pytest.approx(1 - r2)
  assert json.loads(json.dumps(got, allow_nan=False)) == got


def test_regression_hand_value() -> None:
  # Errors 3 and -1: mean square 5. Range 4, mean 12, sd 2.
  got = metrics.regression_score(np.array([10, 14]), np.array([13, 13]))
  root = 5**0.5
  assert got == {
    'n': 2,
    'one_minus_nrmse': pytest.approx(1 - root / 4),
    'one_minus_nrmse_mean': pytest.approx(1 - root / 12),
    'one_minus_nrmse_std': pytest.approx(1 - root / 2),
    'rmse': pytest.approx(root),
    'mean_absolute_error': 2,
  }


def test_regression_without_an_estimate() -> None:
  # 0.1 three times has a mean that is not 0.1 to the last bit.
  got = metrics.regression_score(np.full(3, 0.1), np.full(3, 0.2))
  for name in ('one_minus_nrmse', 'one_minus_nrmse_std'):
    assert got[name] is None
    assert got[f'{name}_why'] == 'all 3 targets are the same'
  assert got['one_minus_nrmse_mean'] == pytest.approx(0)
  assert got['rmse'] == pytest.approx(0.1)
  got = metrics.regression_score(np.array([-1.0, 1]), np.array([-1.0, 1]))
  assert got['one_minus_nrmse'] == got['one_minus_nrmse_std'] == 1
  assert got['one_minus_nrmse_mean'] is None
  assert got['one_minus_nrmse_mean_why'] == (
    'the mean of the targets is not above 0'
  )
  got = metrics.regression_score(np.zeros(0), np.zeros(0))
  assert got['n'] == 0
  for name in metrics.NORMALISED + metrics.ERRORS:
    assert got[name] is None and got[f'{name}_why'] == 'no images'


def test_baseline() -> None:
  train = np.array([0, 1, 1, 1])
  test = np.array([1, 0, 0, 1, 0])
  assert metrics.baseline(train, test, 'classification') == 2 / 5
  # Equally frequent: the smaller class.
  assert metrics.baseline(train[:2], test, 'classification') == 3 / 5
  # Mean 3 of training; errors 3, 1 and 5 over a range of 8.
  got = metrics.baseline(
    np.array([2.0, 4]), np.array([0.0, 4, 8]), 'regression'
  )
  assert got == pytest.approx(1 - (35 / 3) ** 0.5 / 8)
  assert metrics.baseline(np.array([2.0]), np.ones(3), 'regression') is None
  for task in ('classification', 'regression'):
    assert metrics.baseline(train, test[:0], task) is None
    assert metrics.baseline(train[:0], test, task) is None


@hypothesis.given(rows=_TARGETS)
def test_terms_give_the_metric_of_all_images(rows: list) -> None:
  y, predicted = np.array(rows).T
  score = metrics.regression_score(y, predicted)
  for name in ('one_minus_nrmse', 'mean_absolute_error'):
    values, transform = metrics.terms(name, y, predicted)
    got = transform(np.mean(values))
    if score[name] is None:
      assert np.isnan(got)
    else:
      assert got == pytest.approx(score[name])
  classes, answers = y > 0, predicted > 0
  values, transform = metrics.terms('accuracy', classes, answers)
  accuracy = metrics.score(classes, answers)['accuracy']
  assert transform(np.mean(values)) == accuracy


def test_terms_of_other_metrics() -> None:
  with pytest.raises(ValueError, match="'auc'"):
    metrics.terms('auc', np.zeros(2), np.zeros(2))
