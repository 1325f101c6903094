"""The tables of docs/accelerators.md: what compiled, and its memory."""

from collections.abc import Sequence
import pathlib
from typing import Any, NamedTuple

import programs

from benchmarks import markdown
from heterojax.compute import liveness

_PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'accelerators.md'
_HEAD = (
  '| program | compiling, CPU-s | arguments, MB | temporary, MB'
  ' | forecast, MB |\n|---|---|---|---|---|\n'
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

  def __str__(self) -> str:
    sizes = (
      self.planned.argument_size_in_bytes,
      self.planned.temp_size_in_bytes,
      self.forecast.temporary,
    )
    numbers = ' | '.join(f'{size / 1e6:,.1f}' for size in sizes)
    title = f'`{self.program.name}` {self.program.kind}'
    return f'| {title} | {self.seconds:.1f} | {numbers} |\n'


def write(target: str, rows: Sequence[Row]) -> None:
  """Puts the rows of a target between its marks."""
  total = sum(row.seconds for row in rows)
  said = f'{len(rows)} programs, {total:.0f} CPU-seconds in all.\n\n'
  text = f'{said}{_HEAD}{"".join(map(str, rows))}'
  markdown.put(_PAGE, target, text)
