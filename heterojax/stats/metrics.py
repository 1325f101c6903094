"""Metrics of a classifier, of two classes or more, and of a regression.

Each is a record. Results, tables, figures, definitions, sentences and
comparisons find it here: adding one to `METRICS` is all there is to do. Of two
classes the positive one is the disease.
"""

from collections.abc import Callable, Sequence
import dataclasses
import operator
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy import special
from scipy import stats

from heterojax.records.codec import Interval
from heterojax.stats import areas
from heterojax.stats import inference
from heterojax.stats import several

# Metrics that are a function of the mean of one value per image.
OF_MEANS = ('accuracy', 'one_minus_nrmse', 'mean_absolute_error')

Transform = Callable[[Any], Any]
Estimator = Callable[['Answers'], 'Estimated']


class Answers(NamedTuple):
  """What was answered about some images.

  Attributes:
    y: `[N]` of 0 and 1, int codes of several classes, or float64 targets.
    predicted: `[N]` of 0 and 1 at the threshold, codes, or values of the
      target.
    ranks: `[N]`, what an AUC compares, of several classes `[N, C]`; of a
      regression `predicted`.
    units: `[N]` of anything that NumPy can sort, equal for images of one
      patient.
  """

  y: np.ndarray
  predicted: np.ndarray
  ranks: np.ndarray
  units: np.ndarray


class Classes(NamedTuple):
  """The classes of a study.

  Attributes:
    names: C, of two that of the disease first; () where labels are numbers.
      Codes are counted from the last one, see `Cohort.codes`.
    ordered: whether three or more are grades, in their order.
  """

  names: tuple[str, ...]
  ordered: bool = False

  @property
  def task(self) -> str:
    """That of a head of them, see `Metric.tasks`."""
    if len(self.names) > 2:
      return 'grading' if self.ordered else 'multiclass'
    return 'classification' if self.names else 'regression'


class Estimated(NamedTuple):
  """A value with its 95 % interval, or why there is none.

  Attributes:
    value: None where it cannot be estimated.
    interval: None where there is none.
    why: why there is no value; '' with one.
  """

  value: float | None
  interval: Interval | None = None
  why: str = ''


@dataclasses.dataclass(frozen=True)
class Metric:
  """A score of a task.

  Attributes:
    name: its field in `results.json`.
    title: head of a column.
    noun: its name in a sentence.
    definition: a clause in which `{unit}`, `{positive}` and `{negative}` stand
      for what one sample and the classes are called.
    tasks: that it is of: 'classification' (of two classes), 'multiclass',
      'grading' (of several classes in an order) or 'regression'.
    estimate: from the answers of the task.
    interval: whose 95 % interval it is; '' without one.
    over: from the images of each class, in the order of the study, to those
      that it is a share of; None where it is no share.
  """

  name: str
  title: str
  noun: str
  definition: str
  tasks: tuple[str, ...]
  estimate: Estimator
  interval: str = ''
  over: Callable[[Sequence[float]], float] | None = None


class Terms(NamedTuple):
  """What each image adds to a metric.

  Attributes:
    values: `[N]` float64.
    transform: from means of values to the metric, of NumPy and JAX arrays.
  """

  values: np.ndarray
  transform: Transform


def of_task(task: str) -> tuple[Metric, ...]:
  """The metrics of a task, in the order in which they are shown."""
  return tuple(m for m in METRICS.values() if task in m.tasks)


def names(task: str) -> tuple[str, ...]:
  """Fields of `results.json` that hold the metrics of a task."""
  return tuple(m.name for m in of_task(task))


def probability(logits: np.ndarray) -> np.ndarray:
  """Sigmoid in float64, which float32 would round to 1 above a logit of 17."""
  return special.expit(np.asarray(logits, np.float64))


def answered(outputs: np.ndarray, classes: int) -> np.ndarray:
  """The codes that heads answer, of the likeliest class.

  Args:
    outputs: `[...]` logits of the positive one of two classes, which is the
      answer above a probability of 0.5; of more `[..., C]`, of which the first
      of equally likely ones is, as of heads in training.
    classes: C.

  Returns:
    `[...]` int.
  """
  return likeliest(outputs if classes > 2 else probability(outputs), classes)


def likeliest(p: np.ndarray, classes: int) -> np.ndarray:
  """`[...]` int codes, as `answered`, of what `probabilities` gives."""
  return np.argmax(p, axis=-1) if classes > 2 else (p > 0.5).astype(int)


def probabilities(outputs: np.ndarray, classes: int) -> np.ndarray:
  """`[...]` float64 of the positive one of two classes; of more `[..., C]`."""
  if classes > 2:
    return special.softmax(np.asarray(outputs, np.float64), axis=-1)
  return probability(outputs)


def auc(y: np.ndarray, values: np.ndarray) -> float:
  """Area under the ROC curve as a Mann-Whitney U with midranks for ties.

  Args:
    y: `[N]` of 0 and 1, both present.
    values: `[N]`, larger for the positive class.

  Returns:
    The area, as `sklearn.metrics.roc_auc_score`.
  """
  y = np.asarray(y, bool)
  ranks = stats.rankdata(values)
  positives, negatives = int(y.sum()), int((~y).sum())
  u = ranks[y].sum() - positives * (positives + 1) / 2
  return float(u / (positives * negatives))


def baseline(
  y_train: np.ndarray, y_test: np.ndarray, task: str
) -> float | None:
  """Metric of the answer that looks at no image.

  Args:
    y_train: `[N]` classes or targets.
    y_test: `[M]`.
    task: 'classification': always the most frequent class of training, of
      equally frequent ones the smallest; 'regression': always their mean.

  Returns:
    The accuracy, or `one_minus_nrmse` by the range of `y_test`; None where it
    cannot be estimated.
  """
  y_train, y_test = np.asarray(y_train), np.asarray(y_test)
  if not len(y_train) or not len(y_test):
    return None
  if task == 'regression':
    answer = np.full(len(y_test), np.mean(y_train))
    units = np.arange(len(y_test))
    return _one_minus_nrmse(Answers(y_test, answer, answer, units)).value
  classes, counts = np.unique(y_train, return_counts=True)
  return float(np.mean(y_test == classes[np.argmax(counts)]))


def terms(metric: str, y: np.ndarray, predicted: np.ndarray) -> Terms:
  """A metric as a function of the mean of one value per image.

  Args:
    metric: one of OF_MEANS. The errors of `one_minus_nrmse` are divided by the
      range of `y`, so that parts of these images are on one scale with all of
      them [our choice].
    y: `[N]` classes or targets.
    predicted: `[N]` classes or targets.

  Returns:
    The terms; those of `one_minus_nrmse` lead to NaN where `y` is constant.

  Raises:
    ValueError: if the metric is another one.
  """
  if metric not in OF_MEANS:
    raise ValueError(f'metric is {metric!r}, but must be one of {OF_MEANS}')
  if metric == 'accuracy':
    correct = np.asarray(y) == np.asarray(predicted)
    return Terms(correct.astype(np.float64), _SAME)
  error = np.asarray(predicted, np.float64) - np.asarray(y, np.float64)
  if metric == 'mean_absolute_error':
    return Terms(np.abs(error), _SAME)
  scale = float(np.ptp(y)) if len(error) else 0.0
  # Of a compiled program the scale is then an argument and not a part.
  return Terms(
    error**2, jax.tree_util.Partial(_one_minus_root, scale or np.nan)
  )


def _same(mean: Any) -> Any:
  return mean


def _one_minus_root(scale: float, mean: Any) -> Any:
  return 1 - mean**0.5 / scale


_SAME = jax.tree_util.Partial(_same)


def _share_right(
  chosen: Callable[[np.ndarray], np.ndarray], lacks: str
) -> Estimator:
  """Share of the chosen images that are classified rightly."""

  def estimate(answers: Answers) -> Estimated:
    held = chosen(answers.y)
    n = int(np.sum(held))
    if not n:
      return Estimated(None, why=_why(len(answers.y), lacks))
    right = (answers.predicted == answers.y)[held]
    ends = inference.proportion(right, answers.units[held])
    return Estimated(int(right.sum()) / n, ends)

  return estimate


def _auc(answers: Answers) -> Estimated:
  y = np.asarray(answers.y, bool)
  if not y.any() or y.all():
    kind = 'negative' if not y.any() else 'positive'
    return Estimated(None, why=_why(len(y), kind))
  ends = areas.interval(y, answers.ranks, answers.units)
  return Estimated(auc(y, answers.ranks), ends)


def _of_several(metric: Callable[[np.ndarray], float], why: str) -> Estimator:
  """A metric of the table of classes and answers."""

  def estimate(answers: Answers) -> Estimated:
    if not len(answers.y):
      return Estimated(None, why='no images')
    classes = answers.ranks.shape[1]
    value = metric(several.confusion(answers.y, answers.predicted, classes))
    return Estimated(value) if np.isfinite(value) else Estimated(None, why=why)

  return estimate


def _macro_auc(answers: Answers) -> Estimated:
  if not len(answers.y):
    return Estimated(None, why='no images')
  found = several.macro_auc(answers.y, answers.ranks, answers.units)
  if np.isnan(found.each).any():
    missing = int(np.sum(np.isnan(found.each)))
    return Estimated(
      None,
      why=f'{missing} of {len(found.each)} classes have no image to rank, or'
      ' all of them',
    )
  return Estimated(found.value, found.interval)


def _why(number: int, kind: str) -> str:
  return f'all {number} images are {kind}' if number else 'no images'


def _rmse(answers: Answers) -> Estimated:
  if not len(answers.y):
    return Estimated(None, why='no images')
  return Estimated(float(np.sqrt(np.mean(_error(answers) ** 2))))


def _mean_absolute_error(answers: Answers) -> Estimated:
  if not len(answers.y):
    return Estimated(None, why='no images')
  return Estimated(float(np.mean(np.abs(_error(answers)))))


def _error(answers: Answers) -> np.ndarray:
  y = np.asarray(answers.y, np.float64)
  return np.asarray(answers.predicted, np.float64) - y


def _range(y: np.ndarray) -> float:
  return np.ptp(y)


def _spread(y: np.ndarray) -> float:
  # The standard deviation of equal numbers may not be 0 to the last bit.
  return 0.0 if np.ptp(y) == 0 else float(np.std(y))


def _normalised(scale: Callable[[np.ndarray], float], why: str) -> Estimator:
  """1 minus the root mean squared error over a scale of the targets."""

  def estimate(answers: Answers) -> Estimated:
    rmse = _rmse(answers)
    if rmse.value is None:
      return rmse
    y = np.asarray(answers.y, np.float64)
    if not (size := scale(y)) > 0:
      return Estimated(None, why=why.format(n=len(y)))
    return Estimated(float(1 - rmse.value / size))

  return estimate


_SEVERAL = ('multiclass', 'grading')
_EQUAL = 'all {n} targets are the same'
_one_minus_nrmse = _normalised(_range, _EQUAL)

# The range max - min, the mean and the population standard deviation of the
# targets normalise [our choice; the paper names none]. The last is
# 1 - sqrt(1 - R^2), with R as `sklearn.metrics.r2_score`.
METRICS = {
  metric.name: metric
  for metric in (
    Metric(
      'accuracy',
      'Accuracy',
      'accuracy',
      'share of the test {unit}s that are classified rightly',
      ('classification', *_SEVERAL),
      _share_right(lambda y: np.ones(len(y), bool), ''),
      'Wilson',
      sum,
    ),
    Metric(
      'auc',
      'AUC',
      'AUC',
      'how often one {unit} of {positive} gets a higher score than one of'
      ' {negative}, whatever the threshold',
      ('classification',),
      _auc,
      'Newcombe',
    ),
    Metric(
      'sensitivity',
      'Sensitivity',
      'sensitivity',
      'share of the test {unit}s of {positive} that are classified rightly',
      ('classification',),
      _share_right(lambda y: y == 1, 'negative'),
      'Wilson',
      operator.itemgetter(0),
    ),
    Metric(
      'specificity',
      'Specificity',
      'specificity',
      'share of the test {unit}s of {negative} that are classified rightly',
      ('classification',),
      _share_right(lambda y: y == 0, 'positive'),
      'Wilson',
      operator.itemgetter(1),
    ),
    Metric(
      'macro_auc',
      'AUC',
      'AUC',
      'how often one {unit} of a class gets a higher score of that class than'
      ' one of another, the mean over the classes',
      _SEVERAL,
      _macro_auc,
      'Newcombe',
    ),
    Metric(
      'balanced_accuracy',
      'Balanced accuracy',
      'balanced accuracy',
      'mean over the classes of the share of their test {unit}s that are'
      ' classified rightly',
      _SEVERAL,
      _of_several(several.balanced_accuracy, 'no images'),
    ),
    Metric(
      'quadratic_kappa',
      'Quadratic kappa',
      'quadratic kappa',
      'agreement beyond chance, where a wrong grade weighs as the square of its'
      ' distance',
      ('grading',),
      _of_several(
        several.quadratic_kappa,
        'all test images are of one class and get one answer',
      ),
    ),
    Metric(
      'one_minus_nrmse',
      '1 − NRMSE',
      '1 − NRMSE',
      '1 minus the root mean squared error over the range of the targets',
      ('regression',),
      _one_minus_nrmse,
    ),
    Metric(
      'one_minus_nrmse_mean',
      '1 − NRMSE by mean',
      '1 − NRMSE by mean',
      '1 minus the root mean squared error over the mean of the targets',
      ('regression',),
      _normalised(np.mean, 'the mean of the targets is not above 0'),
    ),
    Metric(
      'one_minus_nrmse_std',
      '1 − NRMSE by sd',
      '1 − NRMSE by sd',
      '1 minus the root mean squared error over the standard deviation of the'
      ' targets',
      ('regression',),
      _normalised(_spread, _EQUAL),
    ),
    Metric(
      'rmse',
      'RMSE',
      'root mean squared error',
      'root of the mean squared error, in the unit of the targets',
      ('regression',),
      _rmse,
    ),
    Metric(
      'mean_absolute_error',
      'Mean absolute error',
      'mean absolute error',
      'mean absolute error, in the unit of the targets',
      ('regression',),
      _mean_absolute_error,
    ),
  )
}
