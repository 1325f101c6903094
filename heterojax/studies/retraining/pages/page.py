"""`report.html`: one file that needs nothing else."""

import pathlib
from typing import Any

import numpy as np

from heterojax.report import formatting
from heterojax.report import parts
from heterojax.report import templates
from heterojax.stats import metrics
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.pages import audits
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages import figures
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import montage as montage_lib
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording

# Numbers of the paper's first data set, where a run is of neither.
_PRINTED_IN = {
  'overall': 'Table 1',
  'clusters': 'Table 3',
  'between_cluster_distances': 'Figure 1',
}


def render(
  folder: pathlib.Path,
  results: dict[str, Any],
  drawn: dict[str, bytes],
  montage: list[list[montage_lib.Tile]],
  fold: Fold,
) -> str:
  """The report.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: `results.json`.
    drawn: file name to content of the figures.
    montage: see `montage.tiles`.
    fold: the first, or the only one.

  Returns:
    The page.
  """
  filters = parts.FILTERS | {
    'fraction': lambda value: f'{value:.3f}',
    'exact': lambda value: f'{value:g}',
    'percent': formatting.percent,
    'p_value': formatting.p_value,
    'signed': lambda value: f'{value:.2f}'.replace('-', '−'),
  }
  config = parts.config(folder)
  d = results['dataset']
  common = parts.common(folder, results, (d['positive'], d['negative']))
  by_cluster = _by_cluster(results, common['manifest'], fold)
  return templates.load('template.html', filters).render(
    **common,
    copies=d['n_train_augmented'] > d['n_train'],
    metrics=metrics.METRICS,
    titles=figures.TITLES,
    tables=tables,
    words=wording,
    audits=audits,
    counted=formatting.counted,
    methods=methods,
    network=methods.network(results),
    settings=methods.settings(results, config),
    deviations=deviations.not_in_the_paper(results, config),
    paragraph=methods.paragraph(results, config),
    printed_in=(results['published'] or {}).get('printed_in', _PRINTED_IN),
    folds=wording.folds(results),
    peeks=not d['n_validation'],
    explains=audits.strong(results, 'cluster', by_cluster),
    tells=audits.strong(results, 'class'),
    figure=lambda name: parts.data_uri(drawn[f'{name}.svg'], 'svg'),
    montage=[
      (
        montage_lib.usual_label(row),
        [(tile, parts.data_uri(tile.jpeg, 'jpeg')) for tile in row],
      )
      for row in montage
    ],
  )


def _by_cluster(
  results: dict[str, Any], manifest: list[dict[str, str]], fold: Fold
) -> dict[str, list[list[str]]]:
  """Values of each audited column in each cluster, as the audit saw them.

  These are the training images of a fold, each picture once and no copies.
  """
  rows = {row['id']: row for row in manifest}
  samples = fold.samples
  _, first = np.unique(samples.row, return_index=True)
  held = samples.is_original & (samples.split == 'train')
  chosen = [i for i in np.sort(first) if held[i] and samples.ids[i] in rows]
  if not chosen:
    return {}
  return {
    entry['column']: [
      [
        rows[samples.ids[i]].get(entry['column'], '')
        for i in chosen
        if fold.clusters.labels[i] == cluster['id']
      ]
      for cluster in results['clusters']
    ]
    for entry in results['shortcuts']
    if entry['kind'] is not None
  }
