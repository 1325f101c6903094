"""Figure 5 in numbers: points, correlations, and predictions both ways."""

from collections.abc import Callable
from typing import NamedTuple

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Interval
from heterojax.report import formatting
from heterojax.report.blocks import Column
from heterojax.report.blocks import Table
from heterojax.report.blocks import quiet
from heterojax.stats.heterogeneity import CvGivenMetric
from heterojax.stats.heterogeneity import MetricGivenCv
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import Results

Prediction = MetricGivenCv | CvGivenMetric
_BEYOND = 'beyond what was observed'


class Row(NamedTuple):
  """A line of the CSV file."""

  what: str
  cv: float | None = None
  metric: float | None = None
  value: float | None = None
  interval: Interval | None = None
  reason: str = ''
  source: str = distances.OURS


def figure5_cv_vs_metric(results: Results) -> Table[Row]:
  """Figure 5: points, correlations, lines and predictions."""
  found = results.cv_vs_metric
  rows = [
    Row(
      f'point of {size.n} {results.unit}s',
      codec.known(size.mean_of_cvs),
      codec.known(size.metric_mean),
      reason=values.reasons(
        mean_of_cvs=size.mean_of_cvs, metric_mean=size.metric_mean
      ),
    )
    for size in results.by_size
  ]
  for name, value in (('pearson', found.pearson), ('spearman', found.spearman)):
    rows.append(_value(name, value, value))
  for name, line in (('fit', found.fit), ('fit_cv', found.fit_cv)):
    fit = codec.known(line)
    rows += [
      _value(f'{name} slope', fit and fit.slope, line),
      _value(f'{name} intercept', fit and fit.intercept, line),
    ]
  for given, predictions in (
    ('cv', found.metric_given_cv),
    ('metric', found.cv_given_metric),
  ):
    rows += [
      Row(
        f'prediction from the {given}',
        own.cv,
        own.metric,
        interval=own.interval,
        reason=_beyond(own),
      )
      for own in codec.known(predictions) or ()
    ]
  if published := codec.known(results.published):
    pearson = published.cv_vs_metric.pearson
    rows.append(Row('pearson', value=pearson, source=distances.PUBLISHED))
  columns: list[Column[Row]] = [
    Column('source', lambda row: row.source),
    Column('what', lambda row: row.what),
    Column('cv', lambda row: row.cv),
    Column('metric', lambda row: row.metric),
    Column('value', lambda row: row.value),
    Column('low', lambda row: row.interval and row.interval[0]),
    Column('high', lambda row: row.interval and row.interval[1]),
    Column('reason', lambda row: row.reason),
  ]
  return Table('figure5_cv_vs_metric', columns, rows)


def _value(what: str, value: Estimate | None, source: object) -> Row:
  """A value that is null where what it comes from is."""
  known = None if value is None else codec.known(value)
  return Row(what, value=known, reason=values.why(source))


def _beyond(row: Prediction) -> str:
  return _BEYOND if row.extrapolated else ''


def predictions(results: Results) -> list[Table]:
  """The metric for a CV, and the CV for a metric; none without a line."""
  found, metric = results.cv_vs_metric, values.metric(results)
  of_cv: tuple[Column[Prediction], ...] = (
    Column('', lambda r: r.cv, 'CV', lambda r: values.percent(r.cv)),
  )
  of_metric: tuple[Column[Prediction], ...] = (
    Column(
      '',
      lambda r: r.metric,
      formatting.capital(metric),
      lambda r: values.fraction(r.metric),
    ),
  )
  tables = []
  if rows := codec.known(found.metric_given_cv):
    columns = [*of_cv, *of_metric, *_interval(values.fraction)]
    caption = f'The {metric} that the line gives for a CV.'
    tables.append(Table('', columns, rows, caption))
  if rows := codec.known(found.cv_given_metric):
    columns = [*of_metric, *of_cv, *_interval(values.percent)]
    caption = f'The CV that the other line, of CV on {metric}, gives.'
    tables.append(Table('', columns, rows, caption))
  return tables


def _interval(write: Callable[[float], str]) -> list[Column[Prediction]]:
  def text(row: Prediction) -> str:
    low, high = row.interval
    return f'{write(low)} to {write(high)}'

  return [
    Column('', text, '95% interval', text, align='short'),
    Column('', _beyond, 'Observed', lambda r: quiet(_beyond(r)), align='text'),
  ]
