"""Scores against scikit-learn, and what cannot be estimated."""

import json

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.stats import inference
from heterojax.stats import metrics
from heterojax.stats import scores

# Few values, so that ties and exactly 0.5 are frequent.
_PROBABILITIES = st.one_of(
  st.sampled_from([0.0, 0.25, 0.5, np.nextafter(0.5, 1), 0.75, 1.0]),
  st.floats(0, 1),
)
_ROWS = st.lists(
  st.tuples(st.integers(0, 1), _PROBABILITIES), min_size=1, max_size=30
)


_BINARY = metrics.names('classification')
_REGRESSION = metrics.names('regression')


@pytest.mark.medium
@hypothesis.given(rows=_ROWS)
def test_score_is_scikit_learns(rows: list[tuple[int, float]]) -> None:
  y, p = (np.array(column) for column in zip(*rows))
  got = scores.score(y, p)
  predicted = p > 0.5
  tn, fp, fn, tp = sklearn_metrics.confusion_matrix(
    y, predicted, labels=[0, 1]
  ).ravel()
  assert got.n == len(y)
  assert (got.tp, got.fp, got.tn, got.fn) == (tp, fp, tn, fn)
  assert got.class_sizes == (y.sum(), len(y) - y.sum())
  assert got.value('accuracy') == pytest.approx(
    sklearn_metrics.accuracy_score(y, predicted)
  )
  if y.any():
    assert got.value('sensitivity') == pytest.approx(
      sklearn_metrics.recall_score(y, predicted)
    )
  if not y.all():
    assert got.value('specificity') == pytest.approx(
      sklearn_metrics.recall_score(1 - y, ~predicted)
    )
  if y.any() and not y.all():
    assert got.value('auc') == pytest.approx(
      sklearn_metrics.roc_auc_score(y, p)
    )
  assert tuple(got.values) == tuple(got.intervals) == _BINARY
  for name in _BINARY:
    value, interval = got.value(name), got.interval(name)
    assert (value is None) == bool(got.why(name)) == (interval is None)
    if interval is not None:
      low, high = interval
      assert 0 <= low <= value + 1e-12 and value - 1e-12 <= high <= 1
      assert high - low > 0.01  # No 30 images are certain.
  # Plain Python numbers and lists.
  written = json.dumps(codec.encode(got), allow_nan=False)
  assert codec.decode(scores.Score, json.loads(written)) == got


@hypothesis.given(rows=_ROWS)
def test_what_a_share_is_over(rows: list[tuple[int, float]]) -> None:
  """`over` counts the images of the denominator, and the interval is theirs."""
  got = scores.score(*(np.array(column) for column in zip(*rows)))
  right = {
    'accuracy': got.tp + got.tn,
    'sensitivity': got.tp,
    'specificity': got.tn,
  }
  shares = [m for m in metrics.of_task('classification') if m.over]
  assert [m.name for m in shares] == list(right)
  for metric in shares:
    n = metric.over(got.class_sizes)
    if not n:
      assert got.value(metric.name) is None
      continue
    assert got.value(metric.name) == right[metric.name] / n
    assert metric.interval == 'Wilson'
    expected = inference.wilson(right[metric.name], n)
    assert got.interval(metric.name) == expected


def test_hand_value() -> None:
  got = scores.score(
    np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.6, 0.2, 0.6, 0.1])
  )
  assert codec.encode(got) == {
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
      # (1/16) / 3 + (1/8) / 2 = 1/12, and that of Hanley and McNeil with
      # 2.5 of each class, (3/16 + 1.5 (3/5 + 9/14 - 9/8)) / 6 = 17/280, is
      # as much larger at every area.
      'auc': pytest.approx([0.215335, 0.968541], abs=2e-6),
      'sensitivity': pytest.approx([0.207660, 0.938508], abs=1e-6),
      'specificity': pytest.approx([0.094531, 0.905469], abs=1e-6),
    },
  }


def test_exactly_half_is_negative() -> None:
  got = scores.score(np.array([1, 0]), np.array([0.5, 0.5]))
  assert (got.tp, got.fp, got.tn, got.fn) == (0, 0, 1, 1)
  got = scores.score(np.array([1, 0]), np.full(2, np.nextafter(0.5, 1)))
  assert (got.tp, got.fp, got.tn, got.fn) == (1, 1, 0, 0)
  assert metrics.probability(np.zeros(1)) == 0.5


def test_one_class() -> None:
  got = scores.score(np.ones(3, int), np.array([0.9, 0.1, 0.8]))
  assert got.value('accuracy') == got.value('sensitivity')
  assert got.value('accuracy') == pytest.approx(2 / 3)
  for name in ('specificity', 'auc'):
    assert got.values[name] == Missing('all 3 images are positive')
    assert got.why(name) == 'not estimable: all 3 images are positive'
    assert got.interval(name) is None
  assert got.why('accuracy') == got.why('sensitivity') == ''
  assert got.interval('accuracy') == got.interval('sensitivity')
  got = scores.score(np.zeros(2, int), np.array([0.9, 0.1]))
  assert got.value('specificity') == 0.5
  for name in ('sensitivity', 'auc'):
    assert got.values[name] == Missing('all 2 images are negative')


def test_nan_is_no_answer() -> None:
  y, p = np.array([0, 1, 0]), np.array([0.1, np.nan, 0.2])
  with pytest.raises(ValueError, match='1 predictions are NaN'):
    scores.score(y, p)
  with pytest.raises(ValueError, match='1 predictions are NaN'):
    scores.score(y, np.zeros(3), p)
  with pytest.raises(ValueError, match='1 predictions are NaN'):
    scores.regression_score(y, p)
  with pytest.raises(ValueError, match='9 predictions are NaN'):
    scores.score_of(
      y, np.full((3, 3), np.nan), metrics.Classes(('a', 'b', 'c'))
    )


def test_no_images() -> None:
  got = scores.score(np.zeros(0, int), np.zeros(0))
  assert got.values == dict.fromkeys(_BINARY, Missing('no images'))
  assert got.intervals == dict.fromkeys(_BINARY)
  assert got.n == got.tp == got.fp == got.tn == got.fn == 0


@pytest.mark.parametrize('flipped', [False, True])
def test_auc_is_that_of_logits_whose_probabilities_are_all_one(flipped) -> None:
  y, logits = np.array([0, 1, 0, 1, 1]), np.array([40.0, 45, 50, 60, 800])
  if flipped:  # The other class is called positive.
    y, logits = 1 - y, -logits
  p = metrics.probability(logits)
  got = scores.score(y, p, logits)
  assert got.value('auc') == pytest.approx(5 / 6)
  assert sklearn_metrics.roc_auc_score(y, logits) == pytest.approx(5 / 6)
  low, high = got.interval('auc')
  assert low < got.value('auc') < high
  assert got.value('accuracy') == 0.6
  assert got.value('accuracy') == scores.score(y, p).value('accuracy')


def test_every_metric_has_words() -> None:
  assert _BINARY == ('accuracy', 'auc', 'sensitivity', 'specificity')
  assert _REGRESSION == (
    'one_minus_nrmse',
    'one_minus_nrmse_mean',
    'one_minus_nrmse_std',
    'rmse',
    'mean_absolute_error',
  )
  assert [m.interval for m in metrics.METRICS.values()] == (
    ['Wilson', 'Newcombe', 'Wilson', 'Wilson', 'Newcombe'] + 7 * ['']
  )
  words = {'unit': 'image', 'positive': 'ill', 'negative': 'well'}
  for name, metric in metrics.METRICS.items():
    assert metric.name == name and metric.title and metric.noun
    text = metric.definition.format(**words)
    assert '{' not in text and not text.endswith('.')
    assert {*metric.tasks} <= {
      'classification',
      'multiclass',
      'grading',
      'regression',
    }


def test_another_metric_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
  """It is in scores, their means and what stands for no head."""
  prevalence = metrics.Metric(
    'prevalence',
    'Prevalence',
    'prevalence',
    'share of the {unit}s that are of {positive}',
    ('classification',),
    lambda answers: metrics.Estimated(
      int(np.sum(answers.y)) / max(1, len(answers.y)), (0.2, 0.9)
    ),
    'made-up',
  )
  monkeypatch.setitem(metrics.METRICS, 'prevalence', prevalence)
  got = scores.score(np.array([1, 1, 0, 0]), np.array([0.9, 0.2, 0.1, 0.8]))
  assert got.value('prevalence') == 0.5
  assert codec.encode(got)['intervals']['prevalence'] == [0.2, 0.9]
  assert scores.mean_score([got, got]).value('prevalence') == 0.5
  none = scores.unscored('no head', metrics.Classes(('ill', 'well')))
  assert none.why('prevalence') == 'not estimable: no head'
  # A file of before it existed.
  monkeypatch.undo()
  older = codec.encode(scores.score(np.array([1, 0]), np.array([0.9, 0.1])))
  monkeypatch.setitem(metrics.METRICS, 'prevalence', prevalence)
  read = codec.decode(scores.Score, older)
  assert (
    read.value('prevalence') is None and read.interval('prevalence') is None
  )
  assert read.why('prevalence') == 'not reported'


def test_no_head() -> None:
  got = scores.unscored(
    'the cluster is empty', metrics.Classes(('ill', 'well'))
  )
  assert got.values == dict.fromkeys(_BINARY, Missing('the cluster is empty'))
  assert got.intervals == dict.fromkeys(_BINARY) and got.n == 0


def test_answers_of_two_and_of_more_classes() -> None:
  """By hand: logits of 0 are a half, which is no answer of the positive one."""
  assert metrics.answered(np.array([0.3, -0.1, 0]), 2).tolist() == [1, 0, 0]
  assert metrics.likeliest(np.array([0.5, 0.51]), 2).tolist() == [0, 1]
  logits = np.log([[1, 2, 5], [4, 4, 2]])
  assert metrics.answered(logits, 3).tolist() == [2, 0]
  np.testing.assert_allclose(
    metrics.probabilities(logits, 3),
    [[1 / 8, 2 / 8, 5 / 8], [0.4, 0.4, 0.2]],
    rtol=1e-14,
  )
  # Of several heads, and of one image.
  heads = np.stack([logits, logits[::-1], logits])
  assert metrics.answered(heads, 3).tolist() == [[2, 0], [0, 2], [2, 0]]
  for some in (heads, logits[0]):
    np.testing.assert_allclose(metrics.probabilities(some, 3).sum(axis=-1), 1)
  assert metrics.probabilities(np.array([0, np.log(3)]), 2) == (
    pytest.approx([0.5, 0.75])
  )


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
    scores.score(y, np.array(p))
    for p in ([0.9, 0.8, 0.1, 0.2], [0.9, 0.1, 0.1, 0.8])
  ]
  got = scores.mean_score(runs)
  assert got.n == 4 and got.tp == 1.5 and got.fp == 0.5
  # In the second run 0.9 beats both, and 0.1 is tied with one.
  assert got.value('accuracy') == 0.75 and got.value('auc') == (1 + 2.5 / 4) / 2
  assert not any(map(got.why, _BINARY))
  # The runs share their images: an interval of the mean is not theirs.
  assert got.intervals is None and got.interval('accuracy') is None
  assert 'intervals' not in codec.encode(got)
  json.dumps(codec.encode(got), allow_nan=False)


def test_mean_score_of_several_classes() -> None:
  y, classes = np.array([0, 1, 2, 2]), metrics.Classes(('c', 'b', 'a'))
  runs = [
    scores.score_of(y, np.eye(3)[predicted], classes)
    for predicted in ([0, 1, 2, 2], [0, 0, 2, 1])
  ]
  got = scores.mean_score(runs)
  assert got.sensitivities == {'a': 1, 'b': 0.5, 'c': 0.75}
  assert np.sum(got.answers) == 4 and np.trace(got.answers) == 3


def test_mean_score_without_an_estimate() -> None:
  y = np.ones(2, int)
  runs = [scores.score(y, np.array(p)) for p in ([0.9, 0.2], [0.9, 0.8])]
  got = scores.mean_score(runs)
  assert got.value('accuracy') == got.value('sensitivity') == 0.75
  for name in ('auc', 'specificity'):
    assert got.values[name] == Missing('all 2 images are positive')
  assert got.why('accuracy') == ''


_TARGETS = st.lists(
  st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=1, max_size=20
)


@pytest.mark.medium
@hypothesis.given(rows=_TARGETS)
def test_regression_score_is_scikit_learns(rows: list) -> None:
  y, predicted = np.array(rows).T
  got = scores.regression_score(y, predicted)
  rmse = sklearn_metrics.root_mean_squared_error(y, predicted)
  assert got.n == len(y) and tuple(got.values) == _REGRESSION
  assert got.value('rmse') == pytest.approx(rmse)
  assert got.value('mean_absolute_error') == pytest.approx(
    sklearn_metrics.mean_absolute_error(y, predicted)
  )
  scales = {
    'one_minus_nrmse': max(y) - min(y),
    'one_minus_nrmse_mean': np.mean(y),
    'one_minus_nrmse_std': np.std(y) if len(set(y)) > 1 else 0,
  }
  for name, scale in scales.items():
    value = got.value(name)
    assert (value is None) == bool(got.why(name)) == (scale <= 0)
    if scale > 0:
      assert value == pytest.approx(1 - rmse / scale)
  by_std = got.value('one_minus_nrmse_std')
  if by_std is not None and np.std(y) > 1e-3:
    r2 = sklearn_metrics.r2_score(y, predicted)
    assert (1 - by_std) ** 2 == pytest.approx(1 - r2)
  written = json.dumps(codec.encode(got), allow_nan=False)
  assert codec.decode(scores.RegressionScore, json.loads(written)) == got


def test_regression_hand_value() -> None:
  # Errors 3 and -1: mean square 5. Range 4, mean 12, sd 2.
  got = scores.regression_score(np.array([10, 14]), np.array([13, 13]))
  root = 5**0.5
  assert codec.encode(got) == {
    'n': 2,
    'one_minus_nrmse': pytest.approx(1 - root / 4),
    'one_minus_nrmse_mean': pytest.approx(1 - root / 12),
    'one_minus_nrmse_std': pytest.approx(1 - root / 2),
    'rmse': pytest.approx(root),
    'mean_absolute_error': 2,
  }


def test_regression_without_an_estimate() -> None:
  # 0.1 three times has a mean that is not 0.1 to the last bit.
  got = scores.regression_score(np.full(3, 0.1), np.full(3, 0.2))
  for name in ('one_minus_nrmse', 'one_minus_nrmse_std'):
    assert got.values[name] == Missing('all 3 targets are the same')
  assert got.value('one_minus_nrmse_mean') == pytest.approx(0)
  assert got.value('rmse') == pytest.approx(0.1)
  got = scores.regression_score(np.array([-1.0, 1]), np.array([-1.0, 1]))
  assert got.value('one_minus_nrmse') == got.value('one_minus_nrmse_std') == 1
  assert got.values['one_minus_nrmse_mean'] == Missing(
    'the mean of the targets is not above 0'
  )
  got = scores.regression_score(np.zeros(0), np.zeros(0))
  assert got.n == 0
  assert got.values == dict.fromkeys(_REGRESSION, Missing('no images'))


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
  score = scores.regression_score(y, predicted)
  for name in ('one_minus_nrmse', 'mean_absolute_error'):
    values, transform = metrics.terms(name, y, predicted)
    got = transform(np.mean(values))
    if score.value(name) is None:
      assert np.isnan(got)
    else:
      assert got == pytest.approx(score.value(name))
  classes, answers = y > 0, predicted > 0
  values, transform = metrics.terms('accuracy', classes, answers)
  accuracy = scores.score(classes, answers).value('accuracy')
  assert transform(np.mean(values)) == accuracy


def test_terms_of_no_images() -> None:
  values, transform = metrics.terms('one_minus_nrmse', [], [])
  assert values.shape == (0,) and np.isnan(transform(1.0))


def test_terms_of_other_metrics() -> None:
  with pytest.raises(ValueError, match="'auc'"):
    metrics.terms('auc', np.zeros(2), np.zeros(2))
