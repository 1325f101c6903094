"""Tables, figures and the report of a run."""

import pathlib
from typing import Any

from heterojax.run import run_folder
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.retraining.pages import figures
from heterojax.studies.retraining.pages import montage
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.sample_size import pages as sample_size


def write(
  folder: pathlib.Path,
  results: dict[str, Any],
  outcome: Outcome | None = None,
) -> None:
  """Writes `tables/`, `figures/` and, last, `report.html`.

  Args:
    folder: the run folder.
    results: `results.json`.
    outcome: what the results were made from; of a retraining study only.
  """
  if results['study'] == 'sample_size':
    sample_size.write(folder, results)
    return
  for name, text in tables.files(results).items():
    run_folder.write_atomically(folder / 'tables' / name, text)
  shown = outcome.folds[0]
  drawn = figures.draw(results, shown)
  tiles = montage.tiles(results, shown, outcome.source)
  if tiles:
    drawn['montage.png'] = montage.draw(results, tiles)
  for name, content in drawn.items():
    run_folder.write_atomically(folder / 'figures' / name, content)
  html = page.render(folder, results, drawn, tiles, shown)
  # A file name may hold bytes that are no text.
  run_folder.write_atomically(
    folder / 'report.html', html.encode('utf-8', 'replace')
  )
