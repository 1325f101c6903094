"""`report.html` of a sample-size study: one file that needs nothing else."""

import pathlib
from typing import Any

from heterojax.report import formatting
from heterojax.report import methods as shared
from heterojax.report import parts
from heterojax.report import tables as shared_tables
from heterojax.report import templates
from heterojax.report.sample_size import deviations
from heterojax.report.sample_size import distances
from heterojax.report.sample_size import methods
from heterojax.report.sample_size import tables
from heterojax.report.sample_size import values
from heterojax.report.sample_size import wording
from heterojax.studies import choosing


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
  filters = {
      'fraction': values.fraction,
      'percent': values.percent,
      'number': formatting.number,
      'whole': values.whole,
      'capital': lambda text: text[:1].upper() + text[1:],
      'short': values.short,
      'two': lambda value: f'{value:.2f}'.replace('-', '−'),
  }
  config = parts.config(folder)
  manifest = parts.manifest(folder)
  d = results['dataset']
  labels = ()
  if results['task'] == 'classification':
    labels = (d['positive'], d['negative'])
  own = wording.findings(results)
  return templates.load('sample_size.html', filters).render(
      r=results,
      d=d,
      labels=labels,
      sizes=values.smallest_first(results),
      published=values.published_sizes(results),
      k=values.k_of(results),
      metric=values.metric(results),
      baseline=values.BASELINES[results['metric']],
      given=shared.given(results),
      network=shared.network(results),
      # What the study found besides.
      findings=own + [s for s in results.get('findings', ()) if s not in own],
      counted=formatting.counted,
      values=values,
      tables=tables,
      distances=distances,
      words=wording,
      reading=choosing.reading(values.validity_rows(results)),
      methods=methods,
      settings=methods.settings(results, config),
      deviations=deviations.not_in_the_paper(results, config),
      paragraph=methods.paragraph(results, config),
      manifest=manifest,
      used=sum(row['included'] == 'true' for row in manifest),
      left_out=shared_tables.left_out(manifest, labels),
      figure=lambda name: parts.data_uri(drawn[f'{name}.svg'], 'svg'),
      stages=parts.stages(results['timings']),
      environment=parts.flat(results['environment']),
  )
