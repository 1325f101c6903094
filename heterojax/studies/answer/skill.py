"""Whether the head of all images has learned enough to ask anything of it.

Two things are asked of a classifier. It must rank new images, as the gains of
clusters are gains of a ranking. And it must be right more often than always
answering the larger class, as the worlds of one rule are matched to the data by
accuracy: a head that answers one class is as accurate in a world of noise.
"""

from typing import NamedTuple

import numpy as np

from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report.formatting import counted
from heterojax.report.formatting import percent
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies.answer import facts as facts_lib
from heterojax.studies.answer.facts import Facts


class Skill(NamedTuple):
  """What the head of all images has learned.

  Attributes:
    enough: whether the questions can be asked.
    value: lower end of the interval of its AUC; of a regression, of the share
      of the squared errors of always answering the mean that it spares.
    numbers: a sentence with what it does on test images.
    why_not: what is wrong, to stand after a colon; '' where it is enough.
    ranks: whether a classifier that has not enough still ranks new images.
  """

  enough: bool
  value: Estimate
  numbers: str
  why_not: str
  ranks: bool = False

  @property
  def none(self) -> bool:
    """Whether it is known not to rank new images, or only by chance."""
    return not (self.enough or self.ranks or isinstance(self.value, Missing))


def skill(facts: Facts) -> Skill:
  """The skill of the head of all images."""
  if isinstance(facts.score, RegressionScore):
    return _of_regression(facts, facts.score)
  return _of_classes(facts, facts.score)


def _of_classes(facts: Facts, score: Score) -> Skill:
  counts = dict(zip(facts.classes, score.class_sizes, strict=True))
  larger = max(counts, key=lambda name: counts[name])
  tested = counted(score.n, f'test {facts.unit}')
  accuracy, auc = score.value('accuracy'), score.value(score.ranking)
  if accuracy is None or auc is None:
    why = score.why(score.ranking) or score.why('accuracy')
    what = f'whether the classifier has learned anything is {why}'
    return Skill(False, Missing(why), f'{what.capitalize()}.', what)
  always = counts[larger] / score.n
  right, rank = score.interval('accuracy'), score.interval(score.ranking)
  numbers = (
    f'The head of all {facts.unit}s is right for {percent(accuracy)} of'
    f' {tested}{_between(right, percent)}; always answering “{larger}” is'
    f' right for {percent(always)}. Its{_mean(score)} AUC is'
    f' {auc:.2f}{_between(rank, "{:.2f}".format)}.'
  )
  value = rank[0] if rank else Missing('the AUC has no interval')
  if not facts_lib.ranks(score):
    why = f'the classifier has learned nothing that its {tested} could show'
    return Skill(False, value, numbers, why)
  if right is not None and right[0] > always:
    return Skill(True, value, numbers, '')
  does = 'is not shown to be right more often than always answering'
  given = np.any(np.array(score.table) > 0, axis=0)
  if np.sum(given) == 1:
    does = f'gives every {facts.unit} the same answer,'
    larger = facts.classes[int(np.argmax(given))]
  why = (
    f'the classifier ranks new {facts.unit}s, but {does} “{larger}”, so that'
    ' worlds of one rule, which are matched to the data by accuracy, are no'
    ' measure of it'
  )
  return Skill(False, value, numbers, why, ranks=True)


def _mean(score: Score) -> str:
  """That the AUC is one over several classes."""
  return ' mean' if score.answers else ''


def _of_regression(facts: Facts, score: RegressionScore) -> Skill:
  found, baseline = score.value('one_minus_nrmse'), facts.baseline
  if found is None or baseline is None:
    why = 'the targets of the test set do not differ'
    what = f'whether the model has learned anything cannot be told, as {why}'
    return Skill(False, Missing(why), f'{what.capitalize()}.', what)
  tested = counted(score.n, f'test {facts.unit}')
  numbers = (
    f'1 − NRMSE is {found:.2f} over {tested}; always answering the mean gives'
    f' {baseline.one_minus_nrmse:.2f}.'
  )
  low, high = baseline.spared
  value = Missing('too few patients tell')
  if np.isfinite(low):
    value = low
    numbers += (
      f' The model spares {_signed(low)} to {_signed(high)} of the squared'
      ' errors of the mean (95% interval).'
    )
  why = f'the model has learned nothing that its {tested} could show'
  return Skill(low > 0, value, numbers, '' if low > 0 else why)


def _signed(share: float) -> str:
  return percent(share).replace('-', '−')


def _between(ends, text) -> str:
  return f' ({text(ends[0])} to {text(ends[1])})' if ends else ''
