"""Columns of the data that tell the class or explain the clusters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import statistics
from typing import Any, NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks as blocks_lib
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.formatting import listed
from heterojax.studies.pages.common import Rows
from heterojax.studies.records import Shortcut
from heterojax.studies.shortcuts import STRONG
from heterojax.studies.shortcuts import strength

# What may be missing of a column.
_VALUES: dict[str, Callable[[Shortcut], Any]] = {
  'kind': lambda entry: entry.kind,
  'measure': lambda entry: entry.measure,
  'n': lambda entry: entry.n,
  'with_class': lambda entry: entry.with_class,
  'p_value': lambda entry: entry.p_value,
  'with_cluster': lambda entry: entry.with_cluster,
  'p_value_with_cluster': lambda entry: entry.p_value_with_cluster,
  'auc_alone': lambda entry: entry.auc_alone,
}


class Audit(NamedTuple):
  """The audited columns, and what they are compared with.

  Attributes:
    shortcuts: of the results; the last is of all columns together.
    classes: (positive, negative).
    unit: what one sample is called.
    auc: of the network, on the test samples of the audit.
    folds: whether these are of the first fold.
    by_cluster: column to its values in each cluster; {} where not known.
  """

  shortcuts: Sequence[Shortcut]
  classes: tuple[str, ...]
  unit: str
  auc: float | None
  folds: bool
  by_cluster: Mapping[str, Sequence[Sequence[str]]]

  @property
  def audited(self) -> list[Shortcut]:
    return [entry for entry in self.shortcuts[:-1] if _is_audited(entry)]

  def with_cells(
    self,
    rows: Rows,
    ids: Iterable[str],
    labels: Iterable[int],
    clusters: Sequence[int],
  ) -> 'Audit':
    """The audit with the cells of its columns in each cluster.

    Args:
      rows: of `manifest.csv`.
      ids: A audited images.
      labels: A, the cluster of each.
      clusters: all of them.
    """
    columns = [entry.column for entry in self.audited]
    if not columns:
      return self
    cells = {row['id']: [row.get(name, '') for name in columns] for row in rows}
    known = [
      (cells[name], label)
      for name, label in zip(ids, labels, strict=True)
      if name in cells
    ]
    by_cluster = {
      column: [[own[i] for own, label in known if label == c] for c in clusters]
      for i, column in enumerate(columns)
    }
    return self._replace(by_cluster=by_cluster)

  @property
  def together(self) -> Shortcut:
    return self.shortcuts[-1]


def explain(audit: Audit) -> list[str]:
  """Columns that go strongly with the clusters, a sentence each."""
  sentences = []
  for entry, how in _strong(audit, 'with_cluster', 'p_value_with_cluster'):
    values = audit.by_cluster.get(entry.column, ())
    detail = ''
    if sum(map(bool, values)) > 1:
      detail = _contrast(values, str(entry.kind))
    sentences.append(f'The clusters differ in {entry.column} ({how}){detail}.')
  return sentences


def tell(audit: Audit) -> list[str]:
  """Columns that go strongly with the class, a sentence each."""
  what = 'the disease' if len(audit.classes) == 2 else 'the classes'
  return [
    f'{listed(audit.classes)} differ in {entry.column} ({how}): a head that'
    f' reads it from the {audit.unit} could pass for one that sees {what}.'
    for entry, how in _strong(audit, 'with_class', 'p_value')
  ]


def _strong(audit: Audit, name: str, p_name: str) -> list[tuple[Shortcut, str]]:
  """Columns that reach `STRONG`, and not by chance; the strongest first."""
  strong = []
  for entry in audit.shortcuts:
    value, p = _VALUES[name](entry), _VALUES[p_name](entry)
    excess = strength(str(entry.measure), value, p)
    if excess >= 1:
      says = f'no p-value, as {codec.why(p)}'
      if (known := codec.known(p)) is not None:
        text = formatting.p_value(known)
        says = f'p {"" if text[0] in "<>" else "= "}{text}'
      strong.append((
        excess,
        entry,
        f'{measure(entry)} {codec.known(value):.2f}, {says}',
      ))
  strong.sort(key=lambda own: own[0], reverse=True)
  return [(entry, how) for _, entry, how in strong]


def measure(entry: Shortcut) -> str:
  """The name of the association; '' without one."""
  return (codec.known(entry.measure) or '').replace("Cramer's", 'Cramér’s')


def _contrast(values: Sequence[Sequence[str]], kind: str) -> str:
  """Between which two clusters a column differs most.

  A cluster without a value, or of augmented copies alone, is none of them.
  """
  if kind == 'numeric':
    medians = {
      c: statistics.median(map(float, known))
      for c, inside in enumerate(values)
      if (known := [v for v in inside if v])
    }
    low, high = _ends(medians)
    return (
      f': its median is {formatting.exact(medians[low])} in cluster {low} and'
      f' {formatting.exact(medians[high])} in cluster {high}'
    )
  contrasts = []
  for value in dict.fromkeys(v for inside in values for v in inside):
    shares = {
      c: inside.count(value) / len(inside)
      for c, inside in enumerate(values)
      if inside
    }
    low, high = _ends(shares)
    name = f'“{value}”' if value else 'missing'
    text = (
      f': it is {name} for {shares[high]:.0%} of cluster {high} and'
      f' {shares[low]:.0%} of cluster {low}'
    )
    contrasts.append((shares[high] - shares[low], text))
  return max(contrasts)[1]


def _ends(values: Mapping[int, float]) -> tuple[int, int]:
  """The clusters with the smallest and the largest value."""
  return min(values, key=values.__getitem__), max(
    values, key=values.__getitem__
  )


def columns_alone(audit: Audit) -> str:
  """What a model of the columns reaches; '' where there is none."""
  alone = codec.known(audit.together.auc_alone)
  if alone is None or audit.auc is None:
    return ''
  where = ' of the first fold' if audit.folds else ''
  text = (
    f'These columns alone reach an AUC of {alone:.2f} on the test'
    f' {audit.unit}s{where}, the network {audit.auc:.2f}.'
  )
  if alone >= audit.auc:
    text += ' The network does no better than they do.'
  return text


def not_audited(audit: Audit) -> list[str]:
  """Columns that were not looked at, by reason."""
  columns: dict[str, list[str]] = {}
  for entry in audit.shortcuts[:-1]:
    if isinstance(entry.kind, Missing):
      columns.setdefault(entry.kind.why, []).append(entry.column)
  return [f'{listed(names)} ({why})' for why, names in columns.items()]


def warning(audit: Audit) -> list[Block]:
  """What stands at the head of a page; nothing without a strong column."""
  clusters, classes = explain(audit), tell(audit)
  if not (clusters or classes):
    return []
  text = Markup(
    '<strong>A column of the data may explain {}.</strong> {} See'
    ' <a href="#shortcuts">Shortcuts</a>.'
  ).format(
    'the clusters' if clusters else 'the result', (clusters or classes)[0]
  )
  return [Paragraph(text, 'warning')]


def blocks(audit: Audit) -> list[Block]:
  """All about shortcuts."""
  shown: list[Block] = [Heading('Shortcuts', 'shortcuts')]
  if audit.audited:
    shown += _audited(audit)
  else:
    shown.append(Paragraph('No column could be audited.'))
  if skipped := not_audited(audit):
    shown.append(Paragraph(f'Not audited: {"; ".join(skipped)}.', 'quiet'))
  return shown


def _audited(audit: Audit) -> list[Block]:
  strong = explain(audit) + tell(audit)
  v, eta = STRONG.values()
  none = (
    f'No column reaches a Cramér’s V of {v} or an eta squared of {eta} with the'
    ' class or the clusters, and by more than chance (p at most 0.05). '
  )
  first = ' All of this is of the first fold.' if audit.folds else ''
  return [
    Paragraph(
      'Does another column of the data tell the class, or explain the clusters?'
      ' Cramér’s V and eta squared go from 0 (says nothing) to 1 (says'
      ' everything); AUC alone is that of a logistic model of the column, where'
      ' 0.5 is chance.'
    ),
    *([Items(strong)] if strong else []),
    Paragraph(('' if strong else none) + columns_alone(audit)),
    table(audit.shortcuts, audit.unit),
    Paragraph(
      'The p-values are not adjusted for the number of columns'
      f' ({len(audit.audited)}), which makes them too small. Where a patient'
      f' has several {audit.unit}s, they come from exchanges of'
      f' patients.{first}',
      'quiet',
    ),
  ]


def table(shortcuts: Sequence[Shortcut], unit: str) -> Table[Shortcut]:
  """Each column, and what it says of class and cluster.

  Args:
    shortcuts: of the results; the last is of all columns together.
    unit: what one sample is called.

  Returns:
    The table; the page shows the columns that were audited.
  """
  together = shortcuts[-1]

  def name(entry: Shortcut) -> str:
    return 'All these columns together' if entry is together else entry.column

  return Table(
    'shortcuts',
    [
      Column('column', lambda entry: entry.column, 'Column', name, '', 'long'),
      _column('kind'),
      _column('measure', 'Measure', measure, 'short'),
      _column('n', f'Training {unit}s'),
      _column('with_class', 'With class', _strength('with_class')),
      _column('p_value', 'p', _p('p_value')),
      _column('with_cluster', 'With cluster', _strength('with_cluster')),
      _column('p_value_with_cluster', 'p', _p('p_value_with_cluster')),
      _column('auc_alone', 'AUC alone', _auc),
      Column('reason', _reason),
    ],
    shortcuts,
    shown=lambda entry: entry is together or _is_audited(entry),
  )


def _column(
  key: str,
  head: str = '',
  text: Callable[[Shortcut], Text] | None = None,
  align: str = 'number',
) -> Column[Shortcut]:
  def value(entry: Shortcut) -> object:
    return codec.known(_VALUES[key](entry))

  return Column(key, value, head, text, align=align)


def _strength(key: str) -> Callable[[Shortcut], Text]:
  """An association; of all columns together there is none to speak of."""

  def text(entry: Shortcut) -> Text:
    if not _is_audited(entry):
      return ''
    return blocks_lib.estimate(_VALUES[key](entry), '{:.2f}'.format)

  return text


def _p(key: str) -> Callable[[Shortcut], Text]:
  """A p-value; why there is none stands beside it."""

  def text(entry: Shortcut) -> Text:
    value = codec.known(_VALUES[key](entry))
    return '' if value is None else formatting.p_value(value)

  return text


def _auc(entry: Shortcut) -> Text:
  return blocks_lib.estimate(entry.auc_alone, '{:.2f}'.format)


def _is_audited(entry: Shortcut) -> bool:
  return not isinstance(entry.kind, Missing)


def _reason(entry: Shortcut) -> str:
  """Why fields of an entry are null, for the CSV file."""
  names: dict[str, list[str]] = {}
  for key, value in _VALUES.items():
    if why := codec.why(value(entry)):
      names.setdefault(why, []).append(key)
  if [len(keys) for keys in names.values()] == [len(_VALUES)]:
    return f'not audited: {next(iter(names))}'
  return blocks_lib.reasons(
    (', '.join(keys), f'not estimable: {why}') for why, keys in names.items()
  )
