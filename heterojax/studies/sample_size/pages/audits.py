"""Leaks and shortcuts of the largest size, in a section."""

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.studies.records import Shortcut
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import estimated
from heterojax.studies.sample_size.records import Results

_KINDS = {
  'same_path': 'Same file',
  'identical_file': 'Identical file',
  'identical_pixels': 'Identical pixels',
  'near_duplicate': 'Near duplicate',
  'shared_group': 'Same patient or group',
}


def section(results: Results) -> Section:
  """What else may explain the CV of the largest size."""
  return Section(
    'Leaks and shortcuts',
    [
      Paragraph(
        f'Both are of the largest size, {values.of_size(results.largest.n)}:'
        ' leaks of all its folds, associations of its first.'
      ),
      leaks(results),
      shortcuts(results),
    ],
  )


def leaks(results: Results) -> Table:
  """Held-out images that share something with training, by kind and class."""
  labels = results.classes or ('all',)
  rows = list((results.leaks or {}).items())

  def kind(name: str) -> str:
    of = name.removeprefix('validation_')
    part = '' if of == name else ' (validation)'
    return f'{_KINDS.get(of, of)}{part}'

  def cell(row, label: str):
    if isinstance(row[1], Missing):
      return blocks.missing(values.why(row[1]))
    least = 'at least ' if row[1].why else ''
    return f'{least}{formatting.number(row[1].value[label])}'

  return Table(
    '',
    [
      Column('', lambda row: kind(row[0]), 'In common', align='text'),
      *(
        Column(
          '',
          lambda r, label=label: cell(r, label),
          label,
          lambda r, label=label: cell(r, label),
        )
        for label in labels
      ),
    ],
    rows,
    f'Leaks: test {results.unit}s that have something in common with training.',
  )


def shortcuts(results: Results) -> Table:
  """Columns of the manifest, and what they say of class and cluster."""

  def p(value: float) -> str:
    return formatting.p_value(value)

  columns = [
    Column('column', lambda e: e.column, 'Column', align='text'),
    Column('kind', lambda e: codec.known(e.kind)),
    Column(
      'measure', lambda e: codec.known(e.measure), 'Measure', align='text'
    ),
    Column('n', lambda e: codec.known(e.n)),
    estimated('with_class', lambda e: e.with_class, 'With class', values.two),
    estimated('p_value', lambda e: e.p_value, 'p', p),
    estimated(
      'with_cluster', lambda e: e.with_cluster, 'With cluster', values.two
    ),
    estimated('p_value_with_cluster', lambda e: e.p_value_with_cluster, 'p', p),
    estimated('auc_alone', lambda e: e.auc_alone, 'AUC alone', values.two),
    Column('reason', _reason),
  ]
  return Table(
    'shortcuts',
    columns,
    results.shortcuts or (),
    'Shortcuts: association of the columns of the manifest with class and'
    ' clusters.',
  )


def _reason(entry: Shortcut) -> str:
  return values.reasons(
    kind=entry.kind,
    with_class=entry.with_class,
    p_value=entry.p_value,
    with_cluster=entry.with_cluster,
    p_value_with_cluster=entry.p_value_with_cluster,
    auc_alone=entry.auc_alone,
  )
