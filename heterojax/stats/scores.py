"""All metrics of a head on some images, as `results.json` holds them."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Annotated, Any

import numpy as np
from scipy import special

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Flat
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Named
from heterojax.records.codec import Number
from heterojax.stats import metrics
from heterojax.stats import several


def _binary() -> tuple[str, ...]:
  return metrics.names('classification')


def _several() -> tuple[str, ...]:
  return metrics.names('multiclass')


# One estimate for each metric of two classes: in a separate record, or as
# fields of a score.
ByMetric = Annotated[Mapping[str, Estimate], Named(_binary)]
BinaryValues = Annotated[Mapping[str, Estimate], Flat(_binary)]
ClassValues = Annotated[Mapping[str, Estimate], Flat(_several)]
RegressionValues = Annotated[
  Mapping[str, Estimate], Flat(lambda: metrics.names('regression'))
]


class Values:
  """How the metrics of a score are read.

  A score lacks a metric that its paper does not print, or that did not exist
  when its file was written.
  """

  values: Mapping[str, Any]

  def value(self, name: str) -> Number | None:
    """A metric; None where it is not known."""
    return codec.known(self.values.get(name))

  def why(self, name: str) -> str:
    """Why a metric is not known, in words; '' where it is."""
    if self.value(name) is not None:
      return ''
    reason = codec.why(self.values.get(name))
    return f'not estimable: {reason}' if reason else 'not reported'

  def interval(self, name: str) -> Interval | None:
    """The 95 % interval of a metric; None where there is none."""
    del name
    return None


@dataclasses.dataclass(frozen=True)
class Score(Values):
  """Images and how a head classified them at threshold 0.5.

  Means over runs have no intervals, and counts that may be fractions.
  """

  n: Number
  tp: Number
  fp: Number
  tn: Number
  fn: Number
  values: BinaryValues
  intervals: Annotated[Mapping[str, Interval | None], Named(_binary)] | None

  @property
  def positives(self) -> Number:
    return self.tp + self.fn

  @property
  def negatives(self) -> Number:
    return self.tn + self.fp

  def interval(self, name: str) -> Interval | None:
    return (self.intervals or {}).get(name)


@dataclasses.dataclass(frozen=True)
class ClassScore(Values):
  """Images of several classes and how a head classified them.

  Attributes:
    n: how many.
    answers: of each class (in the order of the study), how many images got each
      answer.
    sensitivity: share of each class that is classified rightly.
    values: the metrics.
    intervals: theirs; None of means over runs.
  """

  n: Number
  answers: tuple[tuple[Number, ...], ...]
  sensitivity: Annotated[Mapping[str, Estimate], 'classes']
  values: ClassValues
  intervals: Annotated[Mapping[str, Interval | None], Named(_several)] | None

  def interval(self, name: str) -> Interval | None:
    return (self.intervals or {}).get(name)


@dataclasses.dataclass(frozen=True)
class RegressionScore(Values):
  """Images and how far a head was from their targets."""

  n: int
  values: RegressionValues


@dataclasses.dataclass(frozen=True)
class PublishedScore(Values):
  """The metrics that a paper prints."""

  values: BinaryValues


def score(
  y: np.ndarray,
  probabilities: np.ndarray,
  ranks: np.ndarray | None = None,
) -> Score:
  """The contract's SCORE.

  Args:
    y: `[N]` of 0 and 1.
    probabilities: `[N]` of the positive class.
    ranks: `[N]`, what the AUC compares, if not the probabilities: those of
      logits above 37 are all 1.

  Returns:
    Counts and metrics as fractions, each with its 95 % interval. Intervals take
    images for independent; where one patient has several, they are too narrow.

  Raises:
    ValueError: if a prediction is NaN.
  """
  _check_known(probabilities, ranks)
  y = np.asarray(y, bool)
  predicted = np.asarray(probabilities) > 0.5
  answers = metrics.Answers(
    y, predicted, probabilities if ranks is None else ranks
  )
  estimates = {
    m.name: m.estimate(answers) for m in metrics.of_task('classification')
  }
  return Score(
    n=len(y),
    tp=int(np.sum(predicted & y)),
    fp=int(np.sum(predicted & ~y)),
    tn=int(np.sum(~predicted & ~y)),
    fn=int(np.sum(~predicted & y)),
    values=_values(estimates),
    intervals={name: e.interval for name, e in estimates.items()},
  )


def class_score(
  y: np.ndarray,
  logits: np.ndarray,
  classes: Sequence[str],
  *,
  ordered: bool = False,
) -> ClassScore:
  """The score of a head of several classes.

  Args:
    y: `[N]` int codes, see `Cohort.codes`.
    logits: `[N, C]` by code. Of equally likely classes the first code is the
      answer, as of heads in training.
    classes: C, see `Cohort.classes`.
    ordered: whether they are grades.

  Returns:
    Counts, metrics and intervals, as `score`.
  """
  y, number = np.asarray(y, int), len(classes)
  values = np.asarray(logits, np.float64).reshape(len(y), number)
  _check_known(values)
  predicted = np.argmax(values, axis=1)
  # Images are compared by their probabilities, which would round to 1.
  ranks = special.log_softmax(values, axis=1)
  answers = metrics.Answers(y, predicted, ranks, ordered)
  estimates = {
    m.name: m.estimate(answers) for m in metrics.of_task('multiclass')
  }
  # Codes are counted from the last class.
  counts = several.confusion(y, predicted, number)[::-1, ::-1]
  sizes = counts.sum(axis=1)
  return ClassScore(
    n=len(y),
    answers=tuple(map(tuple, counts.tolist())),
    sensitivity={
      name: float(counts[i, i] / sizes[i])
      if sizes[i]
      else Missing('no test image is of this class')
      for i, name in enumerate(classes)
    },
    values=_values(estimates),
    intervals={name: e.interval for name, e in estimates.items()},
  )


def regression_score(y: np.ndarray, predicted: np.ndarray) -> RegressionScore:
  """Every metric of a regression.

  Args:
    y: `[N]` targets.
    predicted: `[N]`, in the same unit.

  Returns:
    The score.
  """
  _check_known(predicted)
  y = np.asarray(y, np.float64)
  answers = metrics.Answers(y, np.asarray(predicted), np.asarray(predicted))
  estimates = {
    m.name: m.estimate(answers) for m in metrics.of_task('regression')
  }
  return RegressionScore(len(y), _values(estimates))


def _check_known(*predictions: np.ndarray | None) -> None:
  """Raises ValueError for a NaN, which is neither answer."""
  for values in predictions:
    missing = 0 if values is None else int(np.sum(np.isnan(values)))
    if missing:
      raise ValueError(f'{missing} predictions are NaN: leave their rows out')


def _values(estimates: Mapping[str, metrics.Estimated]) -> dict[str, Estimate]:
  return {
    name: Missing(e.why) if e.value is None else e.value
    for name, e in estimates.items()
  }


def mean_score(scores: Sequence[Score]) -> Score:
  """Mean of every count and metric over runs on the same images."""
  values: dict[str, Estimate] = {}
  for name in scores[0].values:
    each = [score.values[name] for score in scores]
    missing = [value for value in each if isinstance(value, Missing)]
    known = [value for value in each if not isinstance(value, Missing)]
    values[name] = missing[0] if missing else float(np.mean(known))
  return Score(
    n=scores[0].n,
    tp=float(np.mean([score.tp for score in scores])),
    fp=float(np.mean([score.fp for score in scores])),
    tn=float(np.mean([score.tn for score in scores])),
    fn=float(np.mean([score.fn for score in scores])),
    values=values,
    intervals=None,
  )


def unscored(why: str) -> Score:
  """The score of a head that does not exist, and why it does not."""
  values: dict[str, Estimate] = {
    name: Missing(why) for name in metrics.names('classification')
  }
  nothing = score(np.zeros(0), np.zeros(0))
  return dataclasses.replace(nothing, values=values)
