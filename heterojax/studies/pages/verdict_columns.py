"""The verdict on each column of the data, as a table."""

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.studies.answer.records import ColumnVerdict
from heterojax.studies.answer.records import Verdict
from heterojax.studies.pages.verdict_tables import number_text
from heterojax.studies.pages.verdict_tables import p_text
from heterojax.studies.pages.verdict_tables import points

HEADING = 'Could a head read a column of the data?'


def section(found: Verdict, unit: str) -> list[Block]:
  """What the table says and how; nothing where no column could be asked."""
  if all(isinstance(row.p_value, Missing) for row in found.columns):
    return []
  text = (
    f'Whether the features of {unit}s of the same class hold a column is asked'
    f' by exchanging its values among {unit}s of a class. A column is'
    ' <b>confounded</b> where they do and it says the class as well: a head'
    ' could read it in the place of the class. It is <b>readable</b> where they'
    ' do and it does not. p-values are adjusted for the number of columns.'
    ' Held out: what a head of all other values loses in accuracy on'
    f' {unit}s of one value, of the value where it loses most, beside a head'
    f' that has seen the value. The two saw other numbers of {unit}s, too.'
  )
  return [
    Heading(HEADING),
    Paragraph(Markup(text), 'quiet'),
    table(found),
  ]


def table(found: Verdict) -> Table[ColumnVerdict]:
  """Each column; the page shows those that could be asked."""
  return Table(
    'columns',
    [
      Column('column', lambda row: row.column, 'Column', align='text'),
      Column('verdict', lambda row: row.word, 'Verdict', align='text'),
      Column(
        'auc',
        lambda row: codec.known(row.auc),
        'Read with AUC',
        lambda row: number_text(row.auc, formatting.signed),
      ),
      Column('p_value', lambda row: codec.known(row.p_value)),
      Column(
        'adjusted',
        lambda row: codec.known(row.adjusted),
        'p',
        lambda row: p_text(row.adjusted),
      ),
      Column(
        'with_class',
        lambda row: codec.known(row.with_class),
        'Says the class: p',
        lambda row: p_text(row.with_class),
      ),
      Column('unit', lambda row: row.unit),
      Column(
        'robustness_index',
        lambda row: codec.known(row.robustness_index),
        'Robustness index',
        lambda row: number_text(row.robustness_index, formatting.signed),
        'share of the near neighbours of the same class and another value'
        ' among these and those of another class and the same value: 1 is all'
        ' class, 0 all column; near is by the cosine of features less their'
        ' mean, of other patients',
      ),
      Column(
        'margin_aware_index', lambda row: codec.known(row.margin_aware_index)
      ),
      Column('margin', lambda row: codec.known(row.margin)),
      Column('held_out', _held_out, 'Held out', _largest),
      Column('reason', lambda row: codec.why(row.p_value)),
    ],
    found.columns,
    shown=lambda row: not isinstance(row.p_value, Missing),
  )


def _held_out(row: ColumnVerdict) -> str:
  return '; '.join(
    f'{d.value}: {d.drop:.4f} [{d.interval[0]:.4f}, {d.interval[1]:.4f}]'
    for d in row.held_out
  )


def _largest(row: ColumnVerdict) -> Text:
  if not row.held_out:
    return blocks.missing('none')
  most = max(row.held_out, key=lambda d: d.drop)
  low, high = (points(end) for end in most.interval)
  return blocks.with_small(
    f'{most.value}: {points(most.drop)} points', f'{low} to {high}'
  )
