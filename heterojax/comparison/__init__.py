"""Finished runs beside each other, and beside Wang 2023 where it has them."""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

from heterojax.comparison import agreement
from heterojax.comparison import page
from heterojax.comparison import ranking
from heterojax.comparison import runs as runs_lib
from heterojax.comparison import side_by_side
from heterojax.run import links
from heterojax.run import outputs
from heterojax.run import run_folder
from heterojax.studies import reading


class Written(NamedTuple):
  """A comparison that was written.

  Attributes:
    path: of `comparison.html`.
    said: how often the answer was the same, and which run ranks images better.
  """

  path: pathlib.Path
  said: tuple[str, ...]

  def lines(self) -> list[str]:
    """What a terminal shows."""
    return [*self.said, f'The comparison is at {self.path.absolute()}']


def write(folders: Sequence[str], out: str | None = None) -> Written:
  """Writes `comparison.csv`, `comparison.json` and `comparison.html`.

  Args:
    folders: run folders of any study, each with its `results.json`.
    out: folder of the three files; `comparison` in the first run folder if not
      given.

  Returns:
    Where the page is, which is written last, and what it says first.

  Raises:
    UserError: if a folder does not hold the results of a study, or the first
      one a link where the files go; see also `outputs.write`.
  """
  with reading.unchanged(*(pathlib.Path(f).expanduser() for f in folders)):
    groups = runs_lib.grouped(runs_lib.read(folders))
    compared = [side_by_side.compare(group) for group in groups]
  runs = [run for group in groups for run in group.runs]
  texts = {
    'comparison.csv': side_by_side.table(compared).csv(),
    'comparison.json': run_folder.to_json(side_by_side.as_json(compared)),
    'comparison.html': page.render(compared),
  }
  where = out or f'{folders[0]}/comparison'
  if not out:
    folder = pathlib.Path(where).expanduser()
    links.refuse_between(folder.parent, folder)
  # A class name may hold what is no text.
  encoded = {n: text.encode('utf-8', 'replace') for n, text in texts.items()}
  paths = outputs.write(where, 'out', encoded)
  said = [agreement.sentence(runs)]
  for c in compared:
    said += ranking.sentences(c.pairs)
  return Written(paths[-1], tuple(said))
