"""The tables of docs/accelerators.md: what compiled, and its memory."""

from collections.abc import Sequence
import pathlib
from typing import Any, NamedTuple

import programs

from benchmarks import markdown
from heterojax.compute import liveness

_PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'accelerators.md'
_HEAD = (
  'program',
  'compiling, CPU-s',
  'arguments, MB',
  'temporary, MB',
  'forecast, MB',
)


class Row(NamedTuple):
  """One program.

  Attributes:
    program: which one.
    seconds: of the processor, for lowering and compiling it.
    planned: what XLA says of its memory.
    forecast: what `liveness` says of it.
  """

  program: programs.Program
  seconds: float
  planned: Any
  forecast: liveness.Peak

  def cells(self) -> list[str]:
    sizes = (
      self.planned.argument_size_in_bytes,
      self.planned.temp_size_in_bytes,
      self.forecast.temporary,
    )
    title = f'`{self.program.name}` {self.program.kind}'.strip()
    return [title, f'{self.seconds:.1f}', *(f'{s / 1e6:,.1f}' for s in sizes)]


def write(target: str, rows: Sequence[Row]) -> None:
  """Puts the rows of a target between its marks."""
  total = sum(row.seconds for row in rows)
  said = f'{len(rows)} programs, {total:.0f} CPU-seconds in all.\n\n'
  table = markdown.table(_HEAD, (row.cells() for row in rows))
  markdown.put(_PAGE, target, said + table)
