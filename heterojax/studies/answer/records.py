"""`verdict` of every study's results, as records (see `records.codec`).

Lengths: K clusters.
"""

import dataclasses
from typing import Annotated

from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Number

YES = 'yes'
NO_SIGN = 'no sign'
TOO_LITTLE = 'too little data'
CANNOT = 'cannot be answered'
ANSWERS = (YES, NO_SIGN, TOO_LITTLE, CANNOT)
PASS, WARN, FAIL = 'pass', 'warn', 'fail'


@dataclasses.dataclass(frozen=True)
class OfCluster:
  """What a test says of one cluster.

  Attributes:
    effect: in the unit of the question: a share of wrong answers more than its
      classes let expect, or of a regression mean squared error more than its
      folds do; accuracy below random sets; gain in AUC beyond that of worlds
      with one rule.
    interval: of the effect; the test says which (`heterojax.verdict`).
    p_value: adjusted for there being K clusters.
    given_one_rule: the same, compared with worlds in which one rule holds.
  """

  effect: Estimate
  interval: Interval | Missing
  p_value: Estimate
  given_one_rule: Estimate | None


@dataclasses.dataclass(frozen=True)
class Question:
  """One of the three questions.

  Attributes:
    p_value: of the clusters together; null with the reason where there is none.
    adjusted: for there being several questions that have a p-value (Holm).
    given_one_rule: p-value of the same statistic, compared with worlds in which
      one rule holds; absent for the question that asks just that.
    draws: that were made, without the observed one.
    unit: what was exchanged or redrawn: image or patient.
    stays: units that had none like them to change places with.
    clusters: K.
  """

  p_value: Estimate
  adjusted: Estimate
  given_one_rule: Estimate | None
  draws: int
  unit: str
  stays: int
  clusters: Annotated[tuple[OfCluster, ...], 'K']


@dataclasses.dataclass(frozen=True)
class Rule:
  """The one rule from which worlds are drawn.

  Attributes:
    c: C of the heads, the inverse of their penalty; a mean over folds in logs.
    slope: of the out-of-fold logits.
    accuracy: out of fold, in the data.
    accuracy_in_worlds: the same where labels are drawn from the rule.
  """

  c: Estimate
  slope: Estimate
  accuracy: Estimate
  accuracy_in_worlds: Estimate


@dataclasses.dataclass(frozen=True)
class Term:
  """A part of a gap in accuracy, with its interval over images or patients."""

  value: Estimate
  interval: Interval | Missing


@dataclasses.dataclass(frozen=True)
class Gap:
  """Accuracy of the head of all images less that of a cluster's, in four terms.

  See `heterojax.verdict.decomposition`.
  """

  gap: Estimate
  size: Term
  class_mix: Term
  reach: Term
  other_rule: Term


@dataclasses.dataclass(frozen=True)
class Detectable:
  """What would have been found in a cluster with probability 0.8.

  Attributes:
    accuracy_points: a share of wrong answers above what its classes let expect.
    reversed_share: of the cluster's images in which the rule is reversed; null
      where not even all of them would do.
    power_reversed: probability of finding the rule reversed in all of them.
  """

  accuracy_points: Estimate
  reversed_share: Estimate
  power_reversed: Estimate


@dataclasses.dataclass(frozen=True)
class Tested:
  """The images that refitted heads are tested on, in one cluster.

  Attributes:
    n: how many.
    rarer: of the class of which there are fewer, among those that were tested
      together with images of the other one.
  """

  n: Number | Missing
  rarer: Number | Missing


@dataclasses.dataclass(frozen=True)
class HeldOut:
  """What the head of all images loses on a value that it was not shown.

  Attributes:
    value: of the column.
    n: images with it.
    drop: in accuracy.
    interval: 95 % of the drop.
  """

  value: str
  n: int
  drop: float
  interval: Interval


@dataclasses.dataclass(frozen=True)
class ColumnVerdict:
  """Whether a column of the data may be what a head reads.

  Attributes:
    column: its name.
    word: confounded (it can be read and says the class), readable, no sign, or
      cannot be told.
    auc: of reading it from the features of images of the same class.
    p_value: of that.
    adjusted: the same, for there being several columns.
    with_class: p-value of its association with the class, adjusted likewise.
    unit: what was exchanged: image or patient.
    held_out: values with enough images of each class.
    robustness_index: of neighbours of the same class and another value, their
      share among these and those of another class and the same value; by the
      cosine of features less their mean (of many images and more than 256
      features of 256 components), of other patients.
    margin_aware_index: the same, weighted by distance.
    margin: of the nearest of both kinds, see `stats.robustness`; below 0 those
      of the same value are nearer.
  """

  column: str
  word: str
  auc: Estimate
  p_value: Estimate
  adjusted: Estimate
  with_class: Estimate
  unit: str
  held_out: tuple[HeldOut, ...]
  robustness_index: Estimate
  margin_aware_index: Estimate
  margin: Estimate


@dataclasses.dataclass(frozen=True)
class Measured:
  """What was measured, before anything is said about it.

  `uneven`: is the model wrong more often in a cluster? `teaches_less`: does a
  cluster teach less than random images like it? `one_rule`: does another rule
  hold in a cluster? The last two are asked of `tested` images. `columns` of the
  data are asked whether a head could read them.
  """

  uneven: Question
  teaches_less: Question
  one_rule: Question
  rule: Rule
  tested: Annotated[tuple[Tested, ...], 'K']
  decomposition: Annotated[tuple[Gap, ...], 'K']
  detectable: Annotated[tuple[Detectable, ...], 'K']
  columns: tuple[ColumnVerdict, ...]


@dataclasses.dataclass(frozen=True)
class Condition:
  """Something that an answer rests on.

  Attributes:
    name: for a reader and `--fail_if`.
    state: pass, warn or fail.
    value: the number that decided; null with the reason where there is none.
    sentence: what it says, with the number.
    section: the heading of the report's section about it; '' without one.
  """

  name: str
  state: str
  value: Estimate
  sentence: str
  section: str


@dataclasses.dataclass(frozen=True)
class Verdict(Measured):
  """The answer, and what it rests on.

  Attributes:
    answer: of `ANSWERS`.
    clusters: in which another rule holds, where the answer is yes.
    sentence: the answer in one sentence.
    statements: a sentence or two for each question, in their order; then why
      heads of clusters fall short, and what is not estimable.
    conditions: what the answer rests on.
    next: what to do now, a sentence each.
  """

  answer: str
  clusters: tuple[int, ...]
  sentence: str
  statements: tuple[str, ...]
  conditions: tuple[Condition, ...]
  next: tuple[str, ...]
