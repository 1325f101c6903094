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
from heterojax.stats import inference
from heterojax.stats import metrics
from heterojax.stats import several
from heterojax.stats.metrics import Classes


def _of_classes() -> tuple[str, ...]:
  tasks = ('classification', 'multiclass', 'grading')
  return tuple(dict.fromkeys(n for task in tasks for n in metrics.names(task)))


# One estimate for each metric of the classes of the study: in a separate
# record, or as fields of a score.
ByMetric = Annotated[Mapping[str, Estimate], Named(_of_classes, 'metrics')]
ClassValues = Annotated[Mapping[str, Estimate], Flat(_of_classes, 'metrics')]
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
  """Images and how a head classified them.

  Means over runs have no intervals, and counts that may be fractions.

  Attributes:
    n: how many images.
    tp: of two classes, at threshold 0.5; so are `fp`, `tn` and `fn`.
    values: the metrics.
    intervals: theirs.
    answers: of three or more classes, in the order of the study: how many
      images of each got each answer.
    sensitivities: share of each of them that is classified rightly.
    sensitivity_intervals: theirs.
  """

  n: Number
  tp: Number | None
  fp: Number | None
  tn: Number | None
  fn: Number | None
  values: ClassValues
  intervals: (
    Annotated[Mapping[str, Interval | None], Named(_of_classes, 'metrics')]
    | None
  )
  answers: tuple[tuple[Number, ...], ...] | None = dataclasses.field(
    default=None, kw_only=True
  )
  sensitivities: Annotated[Mapping[str, Estimate], 'classes'] | None = (
    dataclasses.field(default=None, kw_only=True)
  )
  sensitivity_intervals: (
    Annotated[Mapping[str, Interval | None], 'classes'] | None
  ) = dataclasses.field(default=None, kw_only=True)

  def __post_init__(self) -> None:
    if self.answers is None and None in (self.tp, self.fp, self.tn, self.fn):
      raise ValueError('has neither tp, fp, tn and fn nor answers')

  @property
  def class_sizes(self) -> tuple[Number, ...]:
    """Images of each class, in the order of the study."""
    return tuple(map(sum, self.table))

  @property
  def table(self) -> tuple[tuple[Number, ...], ...]:
    """How many images of each class got each answer."""
    if self.answers is not None:
      return self.answers
    return (self.tp or 0, self.fn or 0), (self.fp or 0, self.tn or 0)

  @property
  def ranking(self) -> str:
    """The name of the metric of how images are ranked."""
    return 'auc' if self.answers is None else 'macro_auc'

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

  values: ClassValues


def score(
  y: np.ndarray,
  probabilities: np.ndarray,
  ranks: np.ndarray | None = None,
  units: np.ndarray | None = None,
) -> Score:
  """The contract's SCORE.

  Args:
    y: `[N]` of 0 and 1.
    probabilities: `[N]` of the positive class.
    ranks: `[N]`, what the AUC compares, if not the probabilities: those of
      logits above 37 are all 1.
    units: `[N]`, equal for images of one patient; None: of their own.

  Returns:
    Counts and metrics as fractions, each with its 95 % interval.

  Raises:
    ValueError: if a prediction is NaN.
  """
  _check_known(probabilities, ranks)
  y = np.asarray(y, bool)
  predicted = np.asarray(probabilities) > 0.5
  answers = metrics.Answers(
    y, predicted, probabilities if ranks is None else ranks, _known(units, y)
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


def score_of(
  y: np.ndarray,
  logits: np.ndarray,
  classes: Classes,
  units: np.ndarray | None = None,
) -> Score:
  """The score of a head of two classes or more.

  Args:
    y: `[N]` int codes.
    logits: `[N]` of the positive one of two classes; of more `[N, C]` by code.
    classes: C of them.
    units: see `score`.

  Returns:
    See `score`; of more than two classes also every answer.
  """
  if len(classes.names) == 2:
    return score(y, metrics.probability(logits), logits, units)
  y, number = np.asarray(y, int), len(classes.names)
  _check_known(np.asarray(logits))
  predicted = metrics.answered(logits, number)
  # Images are compared by their probabilities, which would round to 1.
  ranks = special.log_softmax(np.asarray(logits, np.float64), axis=1)
  units = _known(units, y)
  found = metrics.Answers(y, predicted, ranks, units)
  estimates = {m.name: m.estimate(found) for m in metrics.of_task(classes.task)}
  # Codes are counted from the last class.
  counts = several.confusion(y, predicted, number)[::-1, ::-1]
  sizes = counts.sum(axis=1)
  codes = dict(zip(classes.names, reversed(range(number)), strict=True))
  return Score(
    n=len(y),
    tp=None,
    fp=None,
    tn=None,
    fn=None,
    values=_values(estimates),
    intervals={name: e.interval for name, e in estimates.items()},
    answers=tuple(map(tuple, counts.tolist())),
    sensitivities={
      name: float(counts[i, i] / sizes[i])
      if sizes[i]
      else Missing('no test image is of this class')
      for i, name in enumerate(classes.names)
    },
    sensitivity_intervals={
      name: inference.proportion(predicted[y == code] == code, units[y == code])
      if np.any(y == code)
      else None
      for name, code in codes.items()
    },
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
  answers = metrics.Answers(
    y, np.asarray(predicted), np.asarray(predicted), np.arange(len(y))
  )
  estimates = {
    m.name: m.estimate(answers) for m in metrics.of_task('regression')
  }
  return RegressionScore(len(y), _values(estimates))


def _known(units: np.ndarray | None, y: np.ndarray) -> np.ndarray:
  """Units of images; of their own where there are none."""
  return np.arange(len(y)) if units is None else np.asarray(units)


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
  first, answers = scores[0], None
  if first.answers is not None:
    tables = np.array([score.answers for score in scores])
    answers = tuple(map(tuple, np.mean(tables, axis=0).tolist()))
  return Score(
    n=first.n,
    tp=_mean([score.tp for score in scores]),
    fp=_mean([score.fp for score in scores]),
    tn=_mean([score.tn for score in scores]),
    fn=_mean([score.fn for score in scores]),
    values=_mean_values([score.values for score in scores]),
    intervals=None,
    answers=answers,
    sensitivities=first.sensitivities
    and _mean_values([score.sensitivities or {} for score in scores]),
  )


def _mean(counts: Sequence[Number | None]) -> float | None:
  known = [count for count in counts if count is not None]
  return float(np.mean(known)) if known else None


def _mean_values(each: Sequence[Mapping[str, Estimate]]) -> dict[str, Estimate]:
  """Mean of every entry, or why one of them is missing."""
  values: dict[str, Estimate] = {}
  for name in each[0]:
    of = [entries[name] for entries in each]
    missing = [value for value in of if isinstance(value, Missing)]
    known = [value for value in of if not isinstance(value, Missing)]
    values[name] = missing[0] if missing else float(np.mean(known))
  return values


def unscored(why: str, classes: Classes) -> Score:
  """The score of a head that does not exist, and why it does not."""
  shape = (0, len(classes.names)) if len(classes.names) > 2 else (0,)
  nothing = score_of(np.zeros(0, int), np.zeros(shape), classes)
  none = Missing(why)
  return dataclasses.replace(
    nothing,
    values=dict.fromkeys(nothing.values, none),
    sensitivities=nothing.sensitivities
    and dict.fromkeys(nothing.sensitivities, none),
  )
