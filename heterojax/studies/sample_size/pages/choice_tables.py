"""What the clustering was chosen by, and how stable it is, in numbers."""

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import quiet
from heterojax.studies import choosing
from heterojax.studies.choosing import Choice
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.tables import FoldRow
from heterojax.studies.sample_size.pages.values import estimated
from heterojax.studies.sample_size.records import ByComponents
from heterojax.studies.sample_size.records import Fuzzifier
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Size


class FuzzifierRow(NamedTuple):
  """A fuzzifier at a size; `first` of those of the size."""

  size: Size
  clustered: Fuzzifier
  first: bool

  @property
  def sizes(self) -> list[float]:
    """Shares of the clusters, the largest first."""
    return sorted(self.clustered.cluster_size_mean, reverse=True)


class ComponentRow(NamedTuple):
  """A number of components in a fold."""

  row: FoldRow
  curve: ByComponents
  at: int


def jaccard(results: Results) -> Table[FoldRow]:
  """How well each cluster is found again in bootstraps."""

  def column(c: int) -> Column[FoldRow]:
    def text(row: FoldRow) -> Text:
      stability = values.entries(row.fold.jaccard)[c]
      return blocks.estimate(stability, formatting.signed)

    return Column('', text, f'Cluster {c}', text)

  return Table(
    '',
    [
      *tables.fold_columns(results),
      *(column(c) for c in range(results.cluster.k)),
    ],
    tables.fold_rows(results),
    'Bootstrap Jaccard similarity of each cluster, as most trainings have it'
    f' (Hennig 2007): training {results.unit}s are drawn again and clustered'
    ' again; 1 is the same cluster each time, from 0.75 a cluster counts as'
    ' stable, below 0.5 as dissolved.',
  )


def fuzzifiers(results: Results) -> Table[FuzzifierRow]:
  """The CV with other fuzzifiers, and the sizes of their clusters."""
  unit = results.unit

  def named(row: FuzzifierRow) -> Text:
    text = f'{row.clustered.fuzzifier:g}'
    if row.clustered.fuzzifier != results.cluster.fuzzifier:
      return text
    return Markup('{} {}').format(text, quiet('(this run)'))

  columns: list[Column[FuzzifierRow]] = [
    Column(
      'n',
      lambda row: row.size.n,
      f'{formatting.capital(unit)}s',
      lambda row: formatting.number(row.size.n) if row.first else '',
      align='text',
    ),
    Column(
      'fuzzifier', lambda row: row.clustered.fuzzifier, 'Fuzzifier', named
    ),
    estimated(
      'mean_of_cvs',
      lambda row: row.clustered.mean_of_cvs,
      Markup('CV, mean<br>of folds'),
      values.percent,
    ),
    estimated(
      'cv_of_means',
      lambda row: row.clustered.cv_of_means,
      Markup('CV of mean<br>metrics'),
      values.percent,
    ),
    *(
      Column(f'size_of_largest_{c + 1}', lambda row, c=c: row.sizes[c])
      for c in range(results.cluster.k)
    ),
    Column(
      '',
      lambda row: ' · '.join(f'{100 * share:.0f}' for share in row.sizes),
      f'Cluster sizes, largest first, percent of the {unit}s',
      align='text',
    ),
    Column(
      'reason',
      lambda row: values.reasons(
        mean_of_cvs=row.clustered.mean_of_cvs,
        cv_of_means=row.clustered.cv_of_means,
      ),
    ),
  ]
  rows = [
    FuzzifierRow(size, clustered, number == 0)
    for size in results.by_size
    for number, clustered in enumerate(codec.known(size.fuzzifiers) or ())
  ]
  return Table('fuzzifiers', columns, rows)


def validity(results: Results) -> Table[Choice]:
  """Indices of each algorithm and number of clusters."""

  def marked(write: Callable[[Choice], str]) -> Callable[[Choice], Text]:
    def text(row: Choice) -> Text:
      used = (row.method, row.k) == (results.cluster.method, results.cluster.k)
      return Markup('<b>{}</b>').format(write(row)) if used else write(row)

    return text

  columns: list[Column[Choice]] = [
    Column(
      'method',
      lambda row: row.method,
      'Algorithm',
      marked(lambda row: choosing.METHODS[row.method]),
      align='short',
    ),
    Column('k', lambda row: row.k, 'k', marked(lambda row: str(row.k))),
    estimated('inertia', lambda r: r.inertia, 'Inertia', values.short),
    estimated(
      'silhouette', lambda r: r.silhouette, 'Silhouette', values.fraction
    ),
    estimated(
      'calinski_harabasz',
      lambda r: r.calinski_harabasz,
      Markup('Calinski-<br>Harabasz'),
      values.short,
    ),
    estimated(
      'davies_bouldin',
      lambda r: r.davies_bouldin,
      Markup('Davies-<br>Bouldin'),
      values.fraction,
    ),
    Column(
      'sizes',
      lambda row: ' '.join(map(str, row.sizes)),
      f'{formatting.capital(results.unit)}s per cluster',
      lambda row: ' · '.join(map(str, row.sizes)) or '–',
      align='text',
    ),
    Column('reason', lambda row: values.reasons(**row.indices)),
  ]
  return Table('validity', columns, results.validity.rows)


def _chosen(results: Results) -> list[tuple[FoldRow, ByComponents]]:
  """The folds whose number of components was chosen by the CV."""
  return [
    (row, curve)
    for row in tables.fold_rows(results)
    if not isinstance(curve := row.fold.cv_by_components, Missing)
  ]


def has_components(results: Results) -> bool:
  """Whether the number of components was chosen by the CV."""
  return bool(_chosen(results))


def components(results: Results) -> Table[ComponentRow]:
  """The CV in every number of components."""
  columns: list[Column[ComponentRow]] = [
    Column('n', lambda r: r.row.size.n),
    Column('fold', lambda r: r.row.number),
    Column('n_components', lambda r: r.curve.n_components[r.at]),
    Column('cv', lambda r: r.curve.cv.value[r.at]),
    Column('cv_minus_one', lambda r: r.curve.cv_minus_one.value[r.at]),
    Column(
      'chosen',
      lambda r: str(r.curve.n_components[r.at] == r.curve.chosen).lower(),
    ),
  ]
  rows = [
    ComponentRow(row, curve, at)
    for row, curve in _chosen(results)
    for at in range(len(curve.n_components))
  ]
  return Table('components', columns, rows)


def choice_of_components(results: Results) -> Table[FoldRow]:
  """Which number of components was chosen in each fold."""

  def column(head: Text, of: Callable[[ByComponents], Text]) -> Column[FoldRow]:
    def text(row: FoldRow) -> Text:
      curve = row.fold.cv_by_components
      return curve.why if isinstance(curve, Missing) else of(curve)

    return Column('', text, head, text)

  columns: list[Column[FoldRow]] = [
    *tables.fold_columns(results),
    column('Mode', lambda curve: blocks.estimate(curve.mode, values.percent)),
    column(
      'How often',
      lambda curve: f'{curve.frequency} of {len(curve.n_components)}',
    ),
    column(
      Markup('Components<br>chosen'),
      lambda curve: blocks.estimate(curve.chosen, formatting.number),
    ),
    column(Markup('CV there, empty<br>clusters left out'), _at_chosen),
  ]
  return Table('', columns, [row for row, _ in _chosen(results)])


def _at_chosen(curve: ByComponents) -> Text:
  """The CV with the chosen number of components, empty clusters left out."""
  if isinstance(curve.chosen, Missing):
    return blocks.missing(values.why(curve.chosen))
  cvs = dict(zip(curve.n_components, values.entries(curve.cv), strict=True))
  return blocks.estimate(cvs[curve.chosen], values.percent)
