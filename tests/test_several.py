"""Metrics of several classes beside scikit-learn's."""

import warnings

import numpy as np
import pytest
from scipy import special
from scipy import stats
from sklearn import metrics as theirs

from heterojax.records import codec
from heterojax.stats import areas
from heterojax.stats import inference
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.stats import several


def _made_up(
  n: int, classes: int, seed: int, signal: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
  numbers = np.random.default_rng(seed)
  y = numbers.integers(classes, size=n)
  y[:classes] = np.arange(classes)
  logits = numbers.normal(size=(n, classes)) + signal * np.eye(classes)[y]
  return y, special.softmax(logits, axis=1)


@pytest.mark.parametrize('classes', [2, 3, 5])
@pytest.mark.parametrize('n', [6, 60])
def test_they_are_those_of_scikit_learn(n: int, classes: int) -> None:
  y, p = _made_up(n, classes, seed=n + classes)
  predicted = np.argmax(p, axis=1)
  counts = several.confusion(y, predicted, classes)
  labels = np.arange(classes)
  np.testing.assert_array_equal(
    counts, theirs.confusion_matrix(y, predicted, labels=labels)
  )
  assert several.balanced_accuracy(counts) == pytest.approx(
    theirs.balanced_accuracy_score(y, predicted), abs=1e-12
  )
  assert several.quadratic_kappa(counts) == pytest.approx(
    theirs.cohen_kappa_score(y, predicted, labels=labels, weights='quadratic'),
    abs=1e-12,
  )
  expected = theirs.roc_auc_score(
    np.eye(classes)[y], p, multi_class='ovr', average='macro'
  )
  assert several.macro_auc(y, p).value == pytest.approx(expected, abs=1e-12)


def test_by_hand() -> None:
  counts = np.array([[2, 0, 0], [0, 0, 2], [0, 0, 0]])
  # The class without images does not count.
  assert several.balanced_accuracy(counts) == 0.5
  # Disagreement 2; by chance 2 * 2 * 4 / 4 and 2 * 2 * 1 / 4 and the like.
  expected = 2 * 2 * 4 / 4 + 2 * 2 * 1 / 4 + 2 * 2 * 1 / 4
  assert several.quadratic_kappa(counts) == pytest.approx(1 - 2 / expected)


def test_the_order_of_classes_may_be_reversed() -> None:
  y, p = _made_up(40, 4, seed=0)
  predicted = np.argmax(p, axis=1)
  one = several.quadratic_kappa(several.confusion(y, predicted, 4))
  other = several.quadratic_kappa(several.confusion(3 - y, 3 - predicted, 4))
  assert one == pytest.approx(other, abs=1e-12)


def test_of_two_classes_it_is_the_auc_and_its_interval() -> None:
  y, p = _made_up(50, 2, seed=1)
  found = several.macro_auc(y, p)
  assert found.each == pytest.approx([found.value] * 2)
  assert found.interval == pytest.approx(
    areas.interval(y == 1, p[:, 1], np.arange(50)), abs=1e-12
  )


def test_the_interval_covers_the_area() -> None:
  """About 15 of 300 sets lie outside, with a deviation of 3.8."""
  y, p = _made_up(60_000, 3, seed=99)
  truth = several.macro_auc(y, p).value
  outside = 0
  for seed in range(300):
    y, p = _made_up(90, 3, seed=1000 + seed)
    low, high = several.macro_auc(y, p).interval
    outside += not low <= truth <= high
  assert 5 <= outside <= 27


def test_what_cannot_be_told() -> None:
  p = np.full((3, 3), 1 / 3)
  one = several.macro_auc(np.zeros(3, int), p)
  assert np.isnan(one.value) and one.interval is None
  # Of two areas that are known the mean, without an interval.
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    two = several.macro_auc(np.array([0, 0, 1]), np.eye(3)[[0, 1, 1]])
  assert two.value == 0.75 and np.isnan(two.each[2]) and two.interval is None
  nothing = np.zeros((3, 3), int)
  assert np.isnan(several.balanced_accuracy(nothing))
  assert np.isnan(several.quadratic_kappa(nothing))
  with warnings.catch_warnings():
    warnings.simplefilter('error')
    alone = several.quadratic_kappa(np.diag([4, 0, 0]))
  assert np.isnan(alone)
  # Two answers to one class agree as chance does.
  assert several.quadratic_kappa(np.array([[3, 1], [0, 0]])) == 0


def _kept(value: float, scale: float, n: int) -> tuple[float, float]:
  """The areas of a fine grid that are within 1.96 deviations of a value."""
  a = np.linspace(0, 1, 1_000_001)
  q1, q2 = a / (2 - a), 2 * a**2 / (1 + a)
  shape = a * (1 - a) + (n / 2 - 1) * (q1 + q2 - 2 * a**2)
  near = a[(value - a) ** 2 <= stats.norm.ppf(0.975) ** 2 * scale * shape]
  return near.min(), near.max()


def test_answers_that_are_all_alike_have_the_interval_of_their_pairs() -> None:
  """As if the areas rose and fell together."""
  sizes = np.array([4, 10, 26])
  alike = np.full((40, 3), 1 / 3)
  found = several.macro_auc(np.repeat(np.arange(3), sizes), alike)
  scale = np.mean(1 / (sizes * (40 - sizes)))
  np.testing.assert_allclose(found.interval, _kept(0.5, scale, 40), atol=2e-6)


@pytest.mark.parametrize('least', [2, 9])
def test_the_interval_of_patients_is_that_of_their_parts(least: int) -> None:
  """Composed of each area's; patients tell as in the area with the fewest."""
  sizes = [least, 20, 30]
  y, units = np.repeat(np.arange(3), sizes), np.arange(sum(sizes)) // 2
  values = np.random.default_rng(4).normal(size=(len(y), 3)) + np.eye(3)[y]
  each = [areas.area(y == c, values[:, c], units) for c in range(3)]
  told = [area.told for area in each]
  assert len(set(told)) > 1
  value = np.mean([area.value for area in each])
  influence = np.mean([area.influence for area in each], axis=0)
  variances = np.array([np.sum(area.influence**2) for area in each])
  model = []
  for area, m in zip(each, sizes, strict=True):
    a, half = area.value, len(y) / 2 - 1
    shape = a * (1 - a) * (1 + half * ((1 - a) / (2 - a) + a / (1 + a)))
    model.append(shape / (m * (len(y) - m)))
  larger = np.maximum(variances, model).sum() / variances.sum()
  half = len(y) / 2 - 1
  correlated = half * ((1 - value) / (2 - value) + value / (1 + value))
  scale = np.sum(influence**2) * larger
  scale /= value * (1 - value) * (1 + correlated)
  scale *= inference.design_effect(influence, units, min(told))
  found = several.macro_auc(y, values, units)
  expected = _kept(value, scale, len(y))
  np.testing.assert_allclose(found.interval, expected, atol=2e-6)


@pytest.mark.parametrize('alike', [False, True])
def test_the_interval_is_the_jackknifes(alike: bool) -> None:
  """Though the answers for a class may be all the same."""
  y, p = _made_up(150, 3, seed=7)
  if alike:
    p[y == 0] = 0.4, 0.3, 0.3
  found = several.macro_auc(y, p)
  squares = 0.0
  for c in range(3):
    without = [
      several.macro_auc(np.delete(y, i), np.delete(p, i, axis=0)).value
      for i in np.flatnonzero(y == c)
    ]
    squares += np.var(without) * (len(without) - 1)
  half = 1.96 * np.sqrt(squares) / found.value / (1 - found.value)
  want = special.expit(special.logit(found.value) + np.array([-half, half]))
  np.testing.assert_allclose(found.interval, want, rtol=0.01)


def test_without_an_error_the_interval_has_a_width() -> None:
  y = np.repeat(np.arange(3), [10, 10, 4])
  found = several.macro_auc(y, np.eye(3)[y])
  assert found.value == 1.0 and found.interval is not None
  low, high = found.interval
  assert 0.5 < low < 0.95 and high == 1.0


@pytest.mark.parametrize('sizes', [[26, 21, 12, 4], [7, 11, 13], [2, 2, 30]])
def test_answers_that_are_all_alike_are_not_certain(sizes) -> None:
  y = np.repeat(np.arange(len(sizes)), sizes)
  alike = np.full((len(y), len(sizes)), 1 / 3)
  found = several.macro_auc(y, alike)
  low, high = found.interval
  assert found.value == pytest.approx(0.5)
  assert low < 0.45 and high == pytest.approx(1 - low)


def test_a_class_of_one_image() -> None:
  """The interval is about the mean area, and covers it often enough."""
  means, sizes = np.array([0.5, 2.0, 2.0]), [1, 20, 30]
  y = np.repeat(np.arange(3), sizes)
  # A class's score is normal, and higher by its mean in the class itself.
  truth = np.mean(stats.norm.cdf(means / np.sqrt(2)))
  outside = 0
  for seed in range(300):
    p = np.random.default_rng(seed).normal(size=(len(y), 3))
    p[np.arange(len(y)), y] += means[y]
    found = several.macro_auc(y, p)
    low, high = found.interval
    assert low <= found.value <= high
    outside += not low <= truth <= high
  assert outside <= 15 + 12


_NAMES = ('severe', 'mild', 'none')


def test_a_score_of_several_classes() -> None:
  y, p = _made_up(40, 3, seed=5)
  logits = np.log(p) + 700  # What all have in common changes nothing.
  got = scores.score_of(y, logits, metrics.Classes(_NAMES, ordered=True))
  predicted = np.argmax(p, axis=1)
  # Classes are counted from the last one.
  by_name = np.array(_NAMES)[::-1]
  np.testing.assert_array_equal(
    got.answers,
    theirs.confusion_matrix(by_name[y], by_name[predicted], labels=_NAMES),
  )
  report = theirs.classification_report(
    by_name[y], by_name[predicted], output_dict=True
  )
  for name in _NAMES:
    assert got.sensitivities[name] == pytest.approx(report[name]['recall'])
  assert got.value('accuracy') == pytest.approx(report['accuracy'])
  assert got.value('balanced_accuracy') == pytest.approx(
    report['macro avg']['recall']
  )
  assert got.value('macro_auc') == pytest.approx(
    theirs.roc_auc_score(y, p, multi_class='ovr')
  )
  assert got.value('quadratic_kappa') == pytest.approx(
    theirs.cohen_kappa_score(y, predicted, weights='quadratic')
  )
  right = int(np.sum(predicted == y))
  assert got.interval('accuracy') == inference.wilson(right, 40)
  assert got.interval('macro_auc') == several.macro_auc(y, p).interval
  for code, name in enumerate(reversed(_NAMES)):
    own = np.sum(predicted[y == code] == code), np.sum(y == code)
    assert got.sensitivity_intervals[name] == inference.wilson(*own)
  assert got.interval('quadratic_kappa') is None
  assert codec.decode(scores.Score, codec.encode(got)) == got


def test_what_a_score_of_several_classes_cannot_tell() -> None:
  got = scores.score_of(
    np.array([0, 0]), np.eye(3)[:2], metrics.Classes(_NAMES)
  )
  assert got.answers == ((0, 0, 0), (0, 0, 0), (0, 1, 1))
  assert got.sensitivities['none'] == 0.5
  assert (
    codec.why(got.sensitivities['mild']) == 'no test image is of this class'
  )
  assert got.why('quadratic_kappa') == 'not reported'  # No grades.
  assert '3 of 3 classes' in got.why('macro_auc')
  got = scores.score_of(np.array([0, 0, 1]), np.eye(3), metrics.Classes(_NAMES))
  assert '1 of 3 classes' in got.why('macro_auc')
  none = scores.score_of(np.zeros(0), np.zeros((0, 3)), metrics.Classes(_NAMES))
  assert none.n == 0 and none.why('accuracy') == 'not estimable: no images'
  assert none.why('balanced_accuracy') == 'not estimable: no images'


def test_a_head_of_several_classes_that_does_not_exist() -> None:
  got = scores.unscored('no head', metrics.Classes(_NAMES, ordered=True))
  assert got.n == 0 and got.answers == ((0, 0, 0),) * 3
  assert got.sensitivities == dict.fromkeys(_NAMES, codec.Missing('no head'))
  assert got.why('quadratic_kappa') == 'not estimable: no head'


def test_how_images_are_ranked() -> None:
  for names, want in ((_NAMES[1:], 'auc'), (_NAMES, 'macro_auc')):
    got = scores.unscored('no head', metrics.Classes(names))
    assert got.ranking == want and want in got.values
