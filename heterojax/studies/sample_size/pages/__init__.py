"""Tables, figures and the report of a sample-size study."""

import pathlib
from typing import Any

from heterojax.run import run_folder
from heterojax.studies.sample_size.pages import figures
from heterojax.studies.sample_size.pages import page
from heterojax.studies.sample_size.pages import tables


def write(folder: pathlib.Path, results: dict[str, Any]) -> None:
  """Writes `tables/`, `figures/` and, last, `report.html`.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: `results.json`.
  """
  for name, text in tables.files(results).items():
    run_folder.write_atomically(folder / 'tables' / name, text)
  drawn = figures.draw(results)
  for name, content in drawn.items():
    run_folder.write_atomically(folder / 'figures' / name, content)
  html = page.render(folder, results, drawn)
  # A file name may hold bytes that are no text.
  run_folder.write_atomically(
    folder / 'report.html', html.encode('utf-8', 'replace')
  )
