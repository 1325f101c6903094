"""Tables, figures and the page of a retraining study."""

import pathlib

from heterojax.records import codec
from heterojax.report import blocks
from heterojax.report import drawing
from heterojax.run import atomic
from heterojax.studies.pages import common
from heterojax.studies.pages import files
from heterojax.studies.pages import waterfall
from heterojax.studies.retraining.pages import cluster_figures
from heterojax.studies.retraining.pages import external
from heterojax.studies.retraining.pages import figures
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View


def write(folder: pathlib.Path, results: Results, view: View) -> None:
  """Writes `tables/`, `figures/` and, last, `report.html`.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: of the study.
    view: of the study.
  """
  written = tables.every(results)
  if codec.known(results.external):
    written.append(external.table(results))
  drawn = draw(results, view)
  files.write(folder, written, drawn)
  rows, config = common.manifest(folder), common.config(folder)
  made = common.made(folder, results.seed, results.environment)
  shown = page.page(results, view, rows, config)._replace(made=made)
  # A file name may hold bytes that are no text.
  html = blocks.html(shown, drawn).encode('utf-8', 'replace')
  atomic.write(folder / 'report.html', html)


def draw(results: Results, view: View) -> dict[str, bytes]:
  """File name to content: each figure as PNG and as SVG, the montage as PNG."""
  with drawing.style():
    made = {
      function.__name__: function(results)
      for function in (
        figures.table1_overall_in_clusters,
        figures.table3_retrained_vs_random,
        cluster_figures.figure1_distances,
        figures.distance_vs_performance,
        figures.transfer,
        cluster_figures.class_mix,
      )
    }
    made['clusters'] = cluster_figures.clusters(results, view)
    made |= waterfall.files(results.verdict)
    drawn = drawing.files(made)
    if tiles := montage.central(results, view):
      figure = montage.figure(results, tiles)
      drawn['montage.png'] = drawing.encoded(figure, 'png')
  return drawn
