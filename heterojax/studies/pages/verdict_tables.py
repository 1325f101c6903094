"""The tables of the answer: its questions, its clusters, its conditions."""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Row
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.studies.answer.records import FAIL
from heterojax.studies.answer.records import PASS
from heterojax.studies.answer.records import WARN
from heterojax.studies.answer.records import Condition
from heterojax.studies.answer.records import Detectable
from heterojax.studies.answer.records import Gap
from heterojax.studies.answer.records import OfCluster
from heterojax.studies.answer.records import Question
from heterojax.studies.answer.records import Term
from heterojax.studies.answer.records import Verdict

# Question to its title, and to the unit of its effects.
QUESTIONS = {
  'uneven': ('Is the model wrong more often in a cluster?', 'points of errors'),
  'teaches_less': (
    'Does a cluster teach less than random sets like it?',
    'points of accuracy lost',
  ),
  'one_rule': ('Does another rule hold in a cluster?', 'of AUC gained'),
}
# The first, where labels are numbers: errors are squared, and so is their unit.
_ERRORS = ('Does the model err more in a cluster?', 'of squared error')
_POINTS = (
  'percentage points of errors beyond what the classes let expect; percentage'
  ' points of accuracy below random sets; gain in AUC beyond what one rule for'
  ' all gives. Intervals of errors are of new images, and hold for all clusters'
  ' together; those of accuracy are the middle 95% of the random sets, of the'
  ' same test images; those of AUC are of new images and refitted heads, about'
  ' 95%, while p is of the worlds alone'
)
_SQUARES = (
  'mean squared error beyond what the folds let expect, in the square of the'
  ' target’s unit'
)
TERMS = {
  'size': 'Size',
  'class_mix': 'Class mix',
  'reach': 'Reach',
  # Another rule or chance: only the third question can tell.
  'other_rule': 'Rest',
}
_SIGNS = {PASS: '✓', WARN: '!', FAIL: '✗'}


class Asked(NamedTuple):
  """A question, of all clusters or of one.

  Attributes:
    name: of `QUESTIONS`.
    question: what was found.
    cluster: its number; None of all.
    numbers: whether labels are such.
  """

  name: str
  question: Question
  cluster: int | None = None
  numbers: bool = False

  @property
  def squares(self) -> bool:
    """Whether its effects are of squared errors."""
    return self.numbers and self.name == 'uneven'

  @property
  def words(self) -> tuple[str, str]:
    """Its title, and the unit of its effects."""
    return _ERRORS if self.squares else QUESTIONS[self.name]

  @property
  def own(self) -> OfCluster | None:
    """What it says of the cluster."""
    return (
      None if self.cluster is None else self.question.clusters[self.cluster]
    )

  @property
  def p_value(self) -> Estimate:
    """p of the question; or of a cluster, adjusted for their number."""
    return self.own.p_value if self.own else self.question.p_value

  @property
  def given_one_rule(self) -> Estimate | None:
    return (self.own or self.question).given_one_rule


def questions(
  found: Verdict, unit: str = 'image', *, numbers: bool = False
) -> Table[Asked]:
  """The three questions; its file has a row for each cluster too.

  Args:
    found: the answer.
    unit: what one sample is called.
    numbers: whether labels are such.
  """
  rows = _asked(found, numbers)
  return Table('verdict', _columns(False, unit), rows, shown=_is_of_all)


def of_clusters(found: Verdict, *, numbers: bool = False) -> Table[Asked]:
  """What the questions say of each cluster; the same columns."""
  rows = [row for row in _asked(found, numbers) if row.cluster is not None]
  rows.sort(key=lambda row: row.cluster or 0)
  # What the columns are stands below the table of the questions.
  own = {column.key for column in _columns(clusters=False) if column.head}
  columns = [
    dataclasses.replace(column, definition='') if column.key in own else column
    for column in _columns(clusters=True, numbers=numbers)
  ]
  return Table('', columns, rows)


def _is_of_all(row: Asked) -> bool:
  return row.cluster is None


def _asked(found: Verdict, numbers: bool) -> list[Asked]:
  rows = []
  for name in QUESTIONS:
    question: Question = getattr(found, name)
    rows += [
      Asked(name, question, c, numbers)
      for c in (None, *range(len(question.clusters)))
    ]
  return rows


def _columns(
  clusters: bool, unit: str = 'image', numbers: bool = False
) -> list[Column[Asked]]:
  """Columns of the verdict's file, and which of them a page shows.

  A page of clusters shows others than one of questions.
  """

  def only(head: str, of: bool) -> str:
    return head if of == clusters else ''

  first = next(iter(QUESTIONS))
  return [
    Column(
      'cluster',
      lambda row: row.cluster,
      only('Cluster', True),
      lambda row: str(row.cluster) if row.name == first else '',
      align='text',
    ),
    Column(
      'question',
      lambda row: row.name,
      'Question',
      lambda row: row.words[0],
      align='text',
    ),
    Column(
      'effect',
      lambda row: codec.known(row.own.effect) if row.own else None,
      only('Effect (interval)', True),
      _effect,
      _SQUARES if numbers else _POINTS,
    ),
    *_ends(lambda row: row.own.interval if row.own else None),
    _p(
      'p_value',
      'p',
      lambda row: row.p_value,
      'of a question for all clusters together; of a cluster adjusted for'
      ' there being several (step-down maxT), so that either may be smaller',
    ),
    Column(
      'adjusted',
      lambda row: None if row.own else codec.known(row.question.adjusted),
      only('Adjusted', False),
      lambda row: p_text(row.question.adjusted),
      'for there being several questions (Holm); 0.05 or less is significant',
    ),
    _p(
      'given_one_rule',
      'Given one rule',
      lambda row: row.given_one_rule,
      'p of the same difference of refitted heads, beside worlds in which one'
      ' rule holds for all: above 0.05 one rule may give as much',
    ),
    Column(
      'unit',
      lambda row: row.question.unit,
      only('Unit', False),
      lambda row: {'image': unit}.get(row.question.unit, row.question.unit),
    ),
    Column('draws', lambda row: row.question.draws, only('Draws', False)),
    Column(
      'stays',
      lambda row: row.question.stays,
      only('Stay', False),
      None,
      'units of which there is no other like them to change places with',
    ),
    Column('reason', _reason),
  ]


def _ends(
  of: Callable[[Row], Interval | Missing | None], prefix: str = ''
) -> list[Column[Row]]:
  """Both ends of an interval, in the file only."""
  return [
    Column(
      prefix + end, lambda row, i=i: (codec.known(of(row)) or (None, None))[i]
    )
    for i, end in enumerate(('lo', 'hi'))
  ]


def _p(
  key: str, head: str, of: Callable[[Row], Estimate | None], definition: str
) -> Column[Row]:
  return Column(
    key,
    lambda row: codec.known(of(row)),
    head,
    lambda row: p_text(of(row)),
    definition,
  )


def p_text(p: Estimate | None) -> Text:
  if p is None:
    return ''
  if isinstance(p, Missing):
    return blocks.missing('none')
  return formatting.p_equals(p).removeprefix('p = ').removeprefix('p ')


def _effect(row: Asked) -> Text:
  if row.own is None:
    return ''
  if isinstance(row.own.effect, Missing):
    return blocks.missing('none')
  text = points if row.name != 'one_rule' else _auc
  text = _square if row.squares else text
  shown = f'{text(row.own.effect)} {row.words[1]}'
  ends = codec.known(row.own.interval)
  small = f'{text(ends[0])} to {text(ends[1])}' if ends else ''
  return blocks.with_small(shown, small)


def points(share: float) -> str:
  return f'{100 * share:z.1f}'.replace('-', '−')


def _auc(gain: float) -> str:
  return f'{gain:z.3f}'.replace('-', '−')


def _square(error: float) -> str:
  """Four digits, or all before the point."""
  text = f'{error:z,.0f}' if abs(error) >= 1000 else f'{error:z.4g}'
  return text.replace('-', '−')


def _reason(row: Asked) -> str:
  whys: list[tuple[str, str]] = [('p_value', codec.why(row.p_value))]
  if row.own:
    whys.append(('effect', codec.why(row.own.effect)))
  whys.append(('given_one_rule', codec.why(row.given_one_rule)))
  return blocks.reasons(whys)


class Fallen(NamedTuple):
  """A cluster's gap, and what would have been found there."""

  cluster: int
  gap: Gap
  detectable: Detectable


def gaps(found: Verdict) -> Table[Fallen]:
  """The terms of each gap, and the smallest differences that would be found."""
  rows = [
    Fallen(c, gap, detectable)
    for c, (gap, detectable) in enumerate(
      zip(found.decomposition, found.detectable, strict=True)
    )
  ]
  columns: list[Column[Fallen]] = [
    Column('cluster', lambda row: row.cluster, 'Cluster', align='text'),
    _number('gap', 'Gap', lambda row: row.gap.gap),
  ]
  for name, title in TERMS.items():
    columns += _term(name, title)
  return Table(
    'verdict_clusters',
    [
      *columns,
      _number(
        'accuracy_points',
        'Detectable: points',
        lambda row: row.detectable.accuracy_points,
        'percentage points by which the accuracy in the cluster would have to'
        ' be lower to be found with probability 0.8',
      ),
      _number(
        'reversed_share',
        'Detectable: reversed',
        lambda row: row.detectable.reversed_share,
        'percentage of the cluster in which the rule would have to be reversed'
        ' to be found with probability 0.8',
      ),
      Column(
        'power_reversed',
        lambda row: codec.known(row.detectable.power_reversed),
        'Power',
        lambda row: number_text(
          row.detectable.power_reversed, formatting.signed
        ),
        'probability of finding the rule reversed in all of the cluster',
      ),
      Column('reason', _why_gap),
    ],
    rows,
  )


def _number(
  key: str, head: str, of: Callable[[Row], Estimate], definition: str = ''
) -> Column[Row]:
  """A share, in the page in percentage points."""
  return Column(
    key,
    lambda row: codec.known(of(row)),
    head,
    lambda row: number_text(of(row), points),
    definition,
  )


def number_text(value: Estimate, text: Callable[[float], str]) -> Text:
  if isinstance(value, Missing):
    return blocks.missing('none')
  return text(value)


def _term(name: str, title: str) -> list[Column[Fallen]]:
  def term(row: Fallen) -> Term:
    return getattr(row.gap, name)

  def text(row: Fallen) -> Text:
    ends = codec.known(term(row).interval)
    small = f'{points(ends[0])} to {points(ends[1])}' if ends else ''
    return blocks.with_small(number_text(term(row).value, points), small)

  def interval(row: Fallen) -> Interval | Missing:
    return term(row).interval

  return [
    Column(name, lambda row: codec.known(term(row).value), title, text),
    *_ends(interval, f'{name}_'),
  ]


def _why_gap(row: Fallen) -> str:
  return blocks.reasons([
    ('gap', codec.why(row.gap.gap)),
    ('accuracy_points', codec.why(row.detectable.accuracy_points)),
    ('reversed_share', codec.why(row.detectable.reversed_share)),
    ('power_reversed', codec.why(row.detectable.power_reversed)),
  ])


def conditions(found: Verdict, link: Callable[[str], str]) -> Table[Condition]:
  """What the answer rests on.

  Args:
    found: the answer.
    link: heading of a section to its anchor; '' where there is none.
  """

  def sentence(row: Condition) -> Text:
    if not (anchor := link(row.section)):
      return row.sentence
    return Markup('{} <a href="#{}">{}</a>').format(
      row.sentence, anchor, row.section
    )

  return Table(
    'conditions',
    [
      Column('state', lambda row: row.state, 'State', _state, align='short'),
      Column('name', lambda row: row.name, 'Condition', align='text'),
      # The sentence has it, too.
      Column('value', lambda row: codec.known(row.value)),
      Column(
        'sentence',
        lambda row: row.sentence,
        'What it says',
        sentence,
        align='long',
      ),
      Column('section', lambda row: row.section),
      Column('reason', lambda row: codec.why(row.value)),
    ],
    found.conditions,
  )


def _state(row: Condition) -> Markup:
  """A sign and a word, so that no colour is needed to read it."""
  return Markup('<span class="state {0}">{1} {0}</span>').format(
    row.state, _SIGNS[row.state]
  )
