"""Runs of the retraining study beside Wang 2023 and beside each other."""

from collections.abc import Sequence
import pathlib

from heterojax.comparison import page
from heterojax.comparison import runs as runs_lib
from heterojax.comparison import side_by_side
from heterojax.run import run_folder


def write(folders: Sequence[str], out: str | None = None) -> pathlib.Path:
  """Writes `comparison.csv`, `comparison.json` and `comparison.html`.

  Args:
    folders: run folders, each with its `results.json`.
    out: folder of the three files; `comparison` in the first run folder if not
      given.

  Returns:
    The path of `comparison.html`, which is written last.

  Raises:
    UserError: if a folder does not hold the results of a retraining study.
  """
  groups = runs_lib.grouped(runs_lib.read(folders))
  compared = [side_by_side.compare(group) for group in groups]
  where = run_folder.local(out or f'{folders[0]}/comparison', 'out')
  for name, text in {
    'comparison.csv': side_by_side.table(compared).csv(),
    'comparison.json': run_folder.to_json(side_by_side.as_json(compared)),
    'comparison.html': page.render(compared),
  }.items():
    # A class name may hold what is no text.
    run_folder.write_atomically(where / name, text.encode('utf-8', 'replace'))
  return where / 'comparison.html'
