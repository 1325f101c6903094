"""`report.html` of a sample-size study: one file that needs nothing else."""

import pathlib
from typing import Any

from heterojax.report import formatting
from heterojax.report import parts
from heterojax.report import templates
from heterojax.studies import choosing
from heterojax.studies.retraining.pages import methods as shared
from heterojax.studies.sample_size.pages import deviations
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import methods
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages import wording


def render(
  folder: pathlib.Path, results: dict[str, Any], drawn: dict[str, bytes]
) -> str:
  """The report.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: `results.json`.
    drawn: file name to content of the figures.

  Returns:
    The page.
  """
  filters = parts.FILTERS | {
    'fraction': values.fraction,
    'percent': values.percent,
    'whole': values.whole,
    'short': values.short,
    'two': lambda value: f'{value:.2f}'.replace('-', '−'),
  }
  config = parts.config(folder)
  d = results['dataset']
  labels = ()
  if results['task'] == 'classification':
    labels = (d['positive'], d['negative'])
  return templates.load('sample_size.html', filters).render(
    **parts.common(folder, results, labels),
    sizes=values.smallest_first(results),
    published=values.published_sizes(results),
    k=values.k_of(results),
    metric=values.metric(results),
    baseline=values.BASELINES[results['metric']],
    peeks=methods.peeks(results),
    validated=methods.validated(results),
    network=shared.network(results),
    findings=wording.findings(results) + results['findings'],
    counted=formatting.counted,
    values=values,
    tables=tables,
    distances=distances,
    words=wording,
    algorithms=choosing.METHODS,
    reading=choosing.reading(values.validity_rows(results)),
    methods=methods,
    settings=methods.settings(results, config),
    deviations=deviations.not_in_the_paper(results, config),
    paragraph=methods.paragraph(results, config),
    figure=lambda name: parts.data_uri(drawn[f'{name}.svg'], 'svg'),
  )
