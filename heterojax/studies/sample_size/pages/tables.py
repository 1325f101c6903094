"""The tables of sizes and folds: Figure 4 in numbers.

A value that cannot be estimated is an empty cell of the CSV file, and the
column `reason` says why.
"""

from collections.abc import Callable
import dataclasses
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Row
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.stats import metrics
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages.values import estimated
from heterojax.studies.sample_size.records import Fold
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Size

# Errors in the unit of the target, which may be of any size.
_IN_UNITS = ('rmse', 'mean_absolute_error')


class FoldRow(NamedTuple):
  """A fold and its size."""

  size: Size
  number: int
  fold: Fold

  @property
  def n(self) -> str:
    """The size, once for all its folds."""
    return '' if self.number else formatting.number(self.size.n)


def fold_rows(results: Results) -> list[FoldRow]:
  """Every fold, the smallest size first."""
  return [
    FoldRow(size, number, fold)
    for size in results.by_size
    for number, fold in enumerate(size.folds)
  ]


def fold_columns(results: Results) -> list[Column[FoldRow]]:
  """Which fold it is."""
  unit = formatting.capital(f'{results.unit}s')
  return [
    Column('n', lambda r: r.size.n, unit, lambda r: r.n, align='text'),
    Column('fold', lambda r: r.number, 'Fold', align='text'),
  ]


def _against_chance(of: Callable[[Row], Fold | Size]) -> list[Column[Row]]:
  """What stands beside the CV of a fold or of a size."""
  return [
    estimated(
      'cv_of_means',
      lambda row: of(row).cv_of_means,
      Markup('CV of mean<br>metrics'),
      values.percent,
    ),
    Column(
      'cv_expected',
      lambda row: codec.known(of(row).cv_expected),
      Markup('By chance<br>(95% band)'),
      lambda row: _chance(of(row)),
    ),
    estimated(
      'cv_p_value', lambda row: of(row).cv_p_value, 'p', formatting.p_value
    ),
    estimated(
      'cv_corrected',
      lambda row: of(row).cv_corrected,
      Markup('Corrected<br>CV'),
      values.percent,
    ),
    Column(
      'cv_band_low', lambda row: (codec.known(of(row).cv_band) or [None])[0]
    ),
    Column(
      'cv_band_high', lambda row: (codec.known(of(row).cv_band) or [None])[-1]
    ),
  ]


def _chance(of: Fold | Size) -> Text:
  band, small = codec.known(of.cv_band), ''
  if band is not None:
    small = f'{values.percent(band[0])}–{values.percent(band[1])}'
  return blocks.with_small(
    blocks.estimate(of.cv_expected, values.percent), small
  )


def _where(of: Fold | Size) -> Text:
  if of.position == 'above':
    return Markup('<span class="above">above</span>')
  return of.position or 'not comparable'


def _validation(row: FoldRow) -> int:
  return row.size.validation[row.number]


def figure4_cv(results: Results) -> Table[Size]:
  """Figure 4: the CV of every size beside what chance alone gives."""
  unit, metric = results.unit, formatting.capital(values.metric(results))
  columns: list[Column[Size]] = [
    Column('n', lambda s: s.n, f'{formatting.capital(unit)}s', align='text'),
    Column('n_train', lambda s: s.n_train),
    Column(
      'n_test',
      lambda s: s.n_test,
      Markup('Test {}s<br>a fold').format(unit),
      values.tested,
    ),
    estimated('baseline', lambda s: s.baseline, 'Baseline', values.fraction),
    estimated('metric', lambda s: s.metric_mean, metric, values.fraction),
    estimated(
      'mean_of_cvs',
      lambda s: s.mean_of_cvs,
      Markup('CV, mean<br>of folds'),
      values.percent,
    ),
    *_against_chance(lambda size: size),
    Column('band_draws', lambda s: s.band_draws),
    Column('band_unit', lambda s: s.band_unit),
    Column('band_stays', lambda s: s.band_stays),
    Column(
      'band',
      lambda s: codec.known(s.band),
      Markup('In the paper’s<br>words'),
      lambda s: codec.known(s.band) or '–',
      align='text',
    ),
    Column(
      'against_chance',
      lambda s: s.position,
      Markup('The CV<br>is'),
      _where,
      align='text',
    ),
    estimated('sd_over_trainings', lambda s: s.training_spread.cv_std),
    estimated('adjusted_rand', lambda s: s.adjusted_rand),
    Column('reason', _why_size),
  ]
  baseline = values.BASELINES[results.metric]
  return Table(
    'figure4_cv',
    columns,
    results.by_size,
    f'{metric} and CV at each size, means over folds. Baseline: {baseline}. p:'
    ' share of what chance gives that is not below the CV.',
  )


def _why_size(size: Size) -> str:
  return values.reasons(
    baseline=size.baseline,
    metric_mean=size.metric_mean,
    mean_of_cvs=size.mean_of_cvs,
    cv_of_means=size.cv_of_means,
    cv_expected=size.cv_expected,
    cv_corrected=size.cv_corrected,
    cv_band=size.cv_band,
    cv_p_value=size.cv_p_value,
    adjusted_rand=size.adjusted_rand,
  )


def _score_columns(results: Results) -> list[Column[FoldRow]]:
  """Every metric of the task."""

  def column(metric: metrics.Metric) -> Column[FoldRow]:
    write = values.short if metric.name in _IN_UNITS else values.fraction

    def text(row: FoldRow) -> Text:
      value = row.fold.scores.value(metric.name)
      if value is None:
        return blocks.missing(row.fold.scores.why(metric.name))
      return write(value)

    return Column(
      metric.name,
      lambda row: row.fold.scores.value(metric.name),
      metric.title,
      text,
    )

  return [column(metric) for metric in metrics.of_task(results.classes.task)]


def folds(results: Results) -> Table[FoldRow]:
  """Every fold of every size."""
  columns: list[Column[FoldRow]] = [
    *fold_columns(results),
    Column('n_train', lambda row: row.fold.n_train, 'Training'),
    Column('n_test', lambda row: row.fold.n_test, 'Test'),
    estimated('metric', lambda row: row.fold.metric),
    estimated(
      'baseline', lambda row: row.fold.baseline, 'Baseline', values.fraction
    ),
    Column(
      'cv',
      lambda row: codec.known(row.fold.cv),
      Markup('CV (over<br>trainings)'),
      _over_trainings,
    ),
    *_against_chance(lambda row: row.fold),
    Column('against_chance', lambda row: row.fold.position),
    estimated('cv_sd', lambda row: row.fold.training_spread.cv_std),
    estimated('cv_min', lambda row: row.fold.training_spread.cv_min),
    estimated('cv_max', lambda row: row.fold.training_spread.cv_max),
    estimated(
      'adjusted_rand',
      lambda row: row.fold.adjusted_rand,
      Markup('Trainings<br>agree'),
      formatting.signed,
    ),
    Column(
      'n_components',
      lambda row: row.fold.n_components,
      Markup('Compo-<br>nents'),
      _components,
    ),
    estimated('explained_variance', lambda row: row.fold.explained_variance),
    *(dataclasses.replace(c, head='') for c in _score_columns(results)),
    Column('reason', _why_fold),
  ]
  if results.validated:
    columns.insert(3, Column('', _validation, 'Validation'))
  return Table(
    'folds',
    columns,
    fold_rows(results),
    'CV: mean over the trainings of the clustering; below it, where they'
    ' differ, smallest to largest and standard deviation. Trainings agree:'
    ' adjusted Rand index, 1 is the same grouping and 0 what chance gives.'
    ' Components: below their number, their share of the variance.',
  )


def _over_trainings(row: FoldRow) -> Text:
  """The CV, and how it differs between the trainings of the clustering."""
  text = blocks.estimate(row.fold.cv, values.percent)
  spread = row.fold.training_spread
  low, high, sd = map(
    codec.known, (spread.cv_min, spread.cv_max, spread.cv_std)
  )
  if low is None or high is None or sd is None or low == high:
    return text
  ends = f'{values.percent(low)}–{values.percent(high)}'
  return blocks.with_small(
    blocks.with_small(text, ends), f'sd {values.percent(sd)}'
  )


def _components(row: FoldRow) -> Text:
  share = codec.known(row.fold.explained_variance)
  return blocks.with_small(
    str(row.fold.n_components), '' if share is None else values.percent(share)
  )


def _why_fold(row: FoldRow) -> str:
  fold = row.fold
  own = values.reasons(
    metric=fold.metric,
    baseline=fold.baseline,
    cv=fold.cv,
    cv_of_means=fold.cv_of_means,
    cv_expected=fold.cv_expected,
    cv_corrected=fold.cv_corrected,
    cv_band=fold.cv_band,
    cv_p_value=fold.cv_p_value,
    adjusted_rand=fold.adjusted_rand,
  )
  scores = blocks.reasons(
    (name, fold.scores.why(name)) for name in fold.scores.values
  )
  return '; '.join(filter(None, (own, scores)))


def scores(results: Results) -> Table[FoldRow]:
  """Every metric of every fold."""
  columns: list[Column[FoldRow]] = [
    *fold_columns(results),
    Column('', lambda row: row.fold.n_test, 'n'),
    *_score_columns(results),
  ]
  return Table(
    '',
    columns,
    fold_rows(results),
    f'All metrics of all test {results.unit}s of a fold.',
  )
