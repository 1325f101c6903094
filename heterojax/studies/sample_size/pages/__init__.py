"""Tables, figures and the report of a sample-size study."""

import pathlib

from heterojax.report import blocks
from heterojax.run import atomic
from heterojax.studies import checks
from heterojax.studies.pages import common
from heterojax.studies.pages import files
from heterojax.studies.pages import verdict
from heterojax.studies.sample_size.pages import audits
from heterojax.studies.sample_size.pages import choice_tables
from heterojax.studies.sample_size.pages import clusters
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import figures
from heterojax.studies.sample_size.pages import page
from heterojax.studies.sample_size.pages import relation
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.view import View


def written(results: Results) -> list[blocks.Table]:
  """The tables that have a file."""
  made = [
    clusters.figure2_metric_per_cluster(results),
    clusters.figure3_cluster_sizes(results),
    tables.figure4_cv(results),
    relation.figure5_cv_vs_metric(results),
    distances.table1(results),
    distances.table2(results),
    tables.folds(results),
    clusters.clusters(results),
    choice_tables.validity(results),
    *audits.tables(results),
    *verdict.tables(results.verdict),
  ]
  if (fuzzifiers := choice_tables.fuzzifiers(results)).rows:
    made.append(fuzzifiers)
  if (components := choice_tables.components(results)).rows:
    made.append(components)
  return made


def write(folder: pathlib.Path, results: Results, view: View) -> None:
  """Writes `tables/`, `figures/` and, last, `report.html`.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: of the study.
    view: of the audit.
  """
  drawn = figures.draw(results)
  files.write(folder, written(results), drawn)
  config = common.config(folder)
  settings = checks.from_dict(config) if config else None
  shown = page.page(results, settings, view, common.manifest(folder))
  made = common.made(folder, results.seed, results.environment)
  html = blocks.html(shown._replace(made=made), drawn)
  # A file name may hold bytes that are no text.
  atomic.write(folder / 'report.html', html.encode('utf-8', 'replace'))
