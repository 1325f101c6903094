"""The answer, as the first section of every report."""

from collections.abc import Sequence

from markupsafe import Markup

from heterojax.records.codec import Missing
from heterojax.report.blocks import Block
from heterojax.report.blocks import Figure
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.studies.answer.records import Verdict
from heterojax.studies.pages import checklists
from heterojax.studies.pages import verdict_columns
from heterojax.studies.pages import verdict_tables
from heterojax.studies.pages import waterfall

ANCHOR = 'answer'
_MEANING = (
  'A <i>rule</i> is what a head reads the class from. That <i>another rule</i>'
  ' holds in a cluster means: a head that was trained there alone improves the'
  ' ranking of its own new {unit}s by more than it does in worlds with the same'
  ' {unit}s and clusters, in which labels are drawn from one rule for all. It'
  ' does not say what makes the difference, and a curved rule in one cloud of'
  ' {unit}s is found like groups with rules of their own.'
)


def tables(found: Verdict | None) -> list[Table]:
  """The tables that have a file; none without an answer."""
  if found is None:
    return []
  return [
    verdict_tables.questions(found),
    verdict_tables.conditions(found, lambda heading: ''),
    *([verdict_tables.gaps(found)] if _has_gaps(found) else []),
    *([verdict_columns.table(found)] if found.columns else []),
  ]


def first(
  found: Verdict | None,
  unit: str,
  sections: Sequence[Section],
  *,
  numbers: bool = False,
) -> list[Section]:
  """Puts the answer before the other sections of a page.

  Args:
    found: the answer; None in results of an earlier release, whose page is
      drawn without one.
    unit: what one sample is called.
    sections: the others.
    numbers: whether labels are such.

  Returns:
    All sections, and behind the first of the others the tests that were made.
  """
  if found is None:
    return list(sections)
  shown, *others = sections
  tests = _tests(found, unit, numbers)
  return [_answer(found, unit, sections), shown, tests, *others]


def _answer(found: Verdict, unit: str, others: Sequence[Section]) -> Section:
  """The answer, what it rests on, and what to do now.

  Args:
    found: the answer.
    unit: what one sample is called.
    others: sections that conditions refer to.
  """
  head, _, rest = found.sentence.partition('. ')
  anchors = dict(_anchors(others))

  def link(heading: str) -> str:
    if not heading:
      return ''
    return next((anchors[t] for t in anchors if t.endswith(heading)), '')

  said = any(rest == c.sentence for c in found.conditions)
  shown: list[Block] = [Paragraph(rest)] if rest and not said else []
  shown += [
    Heading('What this rests on'),
    verdict_tables.conditions(found, link),
  ]
  if found.next:
    shown += [Heading('What to do now'), Items(found.next)]
  shown += [
    Heading('What the tests say'),
    Items(found.statements, 'findings'),
    Paragraph(Markup(_MEANING).format(unit=unit), 'quiet'),
  ]
  title = head.removesuffix('.') + '.'
  return Section(title, shown, ANCHOR, asked=checklists.ANSWER)


def _tests(found: Verdict, unit: str, numbers: bool) -> Section:
  """The numbers behind the answer."""
  shown: list[Block] = [
    verdict_tables.questions(found, unit, numbers=numbers),
    *_clusters(found, numbers),
    *_gaps(found, unit),
    *verdict_columns.section(found, unit),
  ]
  return Section('The three questions', shown, asked=checklists.ANSWER)


def _clusters(found: Verdict, numbers: bool) -> list[Block]:
  """What the questions say of each; nothing where they say nothing."""
  table = verdict_tables.of_clusters(found, numbers=numbers)
  if all(isinstance(row.own.effect, Missing) for row in table.rows if row.own):
    return []
  return [Heading('Each cluster'), table]


def _has_gaps(found: Verdict) -> bool:
  """Whether the table of gaps has any number."""
  return not all(
    isinstance(value, Missing)
    for gap, there in zip(found.decomposition, found.detectable, strict=True)
    for value in (gap.gap, there.accuracy_points)
  )


def _gaps(found: Verdict, unit: str) -> list[Block]:
  if not _has_gaps(found):
    return []
  text = (
    'Heads are refitted for this and for the last two questions: logistic'
    ' regressions at their optimum, whatever the study trains, and over folds'
    f' of all {unit}s where these are split once. Their accuracy is therefore'
    ' not that of the tables below. The gap is the accuracy of the head of all'
    f' {unit}s less that of the cluster’s, over all {unit}s that they are'
    f' tested on. Size: what random {unit}s of that number lose. Class mix:'
    ' what they lose more with the'
    ' cluster’s number of each class. Reach: what the cluster loses beyond'
    ' these where one rule holds for all, as it covers a part of the data only.'
    ' Rest: what these do not give, which is another rule or chance, and only'
    ' the third question tells them apart. All in percentage points; intervals'
    f' are over test {unit}s, for the heads as they are.'
  )
  shown: list[Block] = [
    Heading('Why a cluster’s head falls short'),
    Paragraph(text, 'quiet'),
  ]
  if waterfall.known(found):
    shown.append(
      Figure(
        waterfall.NAME,
        'The gap of each cluster’s head as the sum of four terms; the numbers'
        ' are in the table below.',
        'Each bar begins where the one above it ends; negative terms go left.'
        ' Thin lines: 95% intervals of a term. Filled: the gap, which is their'
        ' sum.',
      )
    )
  return [*shown, verdict_tables.gaps(found)]


def _anchors(sections: Sequence[Section]) -> list[tuple[str, str]]:
  """Headings and what leads to them; those of parts of a section first."""
  parts = [
    (str(block.text), block.anchor)
    for of in sections
    for block in of.blocks
    if isinstance(block, Heading) and block.anchor
  ]
  return parts + [(str(of.title), of.id) for of in sections]
