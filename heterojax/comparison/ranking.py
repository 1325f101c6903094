"""Which run ranks new images best, in pairs on the images that both tested."""

from collections.abc import Iterator, Sequence
import itertools
import pathlib
from typing import NamedTuple

import numpy as np

from heterojax import errors
from heterojax.comparison import common as common_lib
from heterojax.comparison.runs import Group
from heterojax.comparison.runs import Run
from heterojax.records.codec import Number
from heterojax.report import formatting
from heterojax.stats import areas
from heterojax.stats import paired
from heterojax.stats.scores import Score
from heterojax.studies import images
from heterojax.verdict import records

_LEVEL = 0.05


class Pair(NamedTuple):
  """Two runs on the test images that they share.

  Attributes:
    better: label of the run with the larger AUC on them.
    worse: label of the other one.
    n: images.
    difference: of the two AUCs; None where it cannot be estimated.
    adjusted: its p-value, for the number of pairs (Holm).
  """

  better: str
  worse: str
  n: int
  difference: paired.Difference | None
  adjusted: float | None = None

  @property
  def shown(self) -> bool:
    """Whether one is shown to be better."""
    return self.adjusted is not None and self.adjusted <= _LEVEL


class _Image(NamedTuple):
  """A test image: its code, what ranks it, and its patient."""

  y: int
  ranks: tuple[float, ...]
  unit: str


def order(group: Group) -> list[Run]:
  """The runs, that with the largest AUC on its own test images first."""
  return sorted(group.runs, key=lambda run: -(auc(run) or 0))


def auc(run: Run) -> Number | None:
  """The AUC of the head of all images; a mean over folds of the largest size.

  None for a regression, and where it cannot be estimated.
  """
  scored = scores_of(run)
  known = [score.value(score.ranking) for score in scored]
  if not known or None in known:
    return None
  return float(np.mean([value for value in known if value is not None]))


def scores_of(run: Run) -> list[Score]:
  """Scores of the heads of all images: one, or one a fold."""
  if not run.classes.names:
    return []
  if hasattr(run.results, 'sizes'):
    return [fold.scores for fold in run.results.largest.folds]
  return [run.results.overall]


def pairs(group: Group) -> tuple[Pair, ...]:
  """All pairs of runs that kept what they said of each image.

  Args:
    group: of runs on the same classes.

  Returns:
    The p-values are adjusted for their number; none for a regression.
  """
  tested = [(run, of) for run in _kept(group) if (of := _tested(run))]
  found = [_pair(*a, *b) for a, b in itertools.combinations(tested, 2)]
  adjusted = records.holm([
    pair.difference and pair.difference.p_value for pair in found
  ])
  return tuple(
    pair._replace(adjusted=p) for pair, p in zip(found, adjusted, strict=True)
  )


def sentences(found: Sequence[Pair]) -> list[str]:
  """What may be said of the pairs."""
  said = [
    f'{pair.better} ranks new images better than {pair.worse}: its AUC is'
    f' larger by {formatting.fraction(pair.difference.value)}'
    f' ({_interval(pair.difference)}; {formatting.p_equals(pair.adjusted)},'
    f' n = {formatting.number(pair.n)}).'
    for pair in found
    if pair.shown and pair.difference and pair.adjusted is not None
  ]
  if not said and any(pair.difference for pair in found):
    said = ['No run is shown to rank new images better than another one.']
  apart = sum(pair.difference is None for pair in found)
  if apart:
    said.append(
      f'{formatting.counted(apart, "pair")} of runs cannot be compared: too few'
      ' images of each class were tested by both, their ids mean other images,'
      ' whose labels differ, or none tells how sure a difference is, as where'
      ' both rank them alike.'
    )
  return said


def _interval(difference: paired.Difference) -> str:
  low, high = map(formatting.signed, difference.interval)
  return f'95% interval {low} to {high}'


def _kept(group: Group) -> Iterator[Run]:
  if group.classes.names:
    for run in group.runs:
      folder = pathlib.Path(run.folder).expanduser()
      if all((folder / name).is_file() for name in images.SOURCES):
        yield run


def _tested(run: Run) -> dict[str, _Image]:
  """Test images by id; none where the file is of another kind."""
  names = run.classes.names
  columns = [f'probability_{name}' for name in names]
  if len(names) == 2:
    columns = ['probability']
  folder = pathlib.Path(run.folder).expanduser()
  rows = images.tested(folder)
  if not rows or not {*columns} <= rows[0].keys():
    return {}
  codes = {name: code for code, name in enumerate(names)}
  if len(names) == 2:
    codes = dict(zip(names, (1, 0), strict=True))
  try:
    return {
      row['id']: _Image(
        codes[row['label']],
        tuple(float(row[column]) for column in columns),
        row['group'] or row['id'],
      )
      for row in rows
    }
  except (KeyError, ValueError) as error:
    raise errors.damaged(
      folder / images.SOURCES[-1], f'{error} is no class or no probability'
    ) from error


def _auc(tested: Sequence[_Image]) -> areas.Area | None:
  ranks = np.array([image.ranks for image in tested])
  y = np.array([image.y for image in tested])
  if not len(y):
    return None
  return paired.auc(y, ranks[:, 0] if ranks.shape[1] == 1 else ranks)


def _pair(
  a: Run, of_a: dict[str, _Image], b: Run, of_b: dict[str, _Image]
) -> Pair:
  common = [
    name
    for name in common_lib.ids(_labels(of_a), _labels(of_b))
    if _same(of_a[name], of_b[name])
  ]
  first = _auc([of_a[name] for name in common])
  second = _auc([of_b[name] for name in common])
  if first is None or second is None:
    return Pair(a.label, b.label, len(common), None)
  if first.value < second.value:
    a, b, first, second = b, a, second, first
  y = np.array([of_a[name].y for name in common])
  units = np.array([of_a[name].unit for name in common])
  n_train = min(_trained(a), _trained(b))
  difference = paired.difference(first, second, y, units, n_train)
  return Pair(a.label, b.label, len(common), difference)


def _labels(tested: dict[str, _Image]) -> dict[str, int]:
  return {name: image.y for name, image in tested.items()}


def _same(a: _Image, b: _Image) -> bool:
  return (a.y, a.unit) == (b.y, b.unit)


def _trained(run: Run) -> float:
  """Images that a head of all images saw."""
  if hasattr(run.results, 'sizes'):
    return run.results.largest.n_train
  return run.results.dataset.n_train
