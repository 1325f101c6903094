"""Tables in Markdown, and their places on a page."""

from collections.abc import Iterable, Sequence
import pathlib
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
  """Whole numbers have commas."""
  lines = [head, ['---'] * len(head), *rows]
  return ''.join(f'| {" | ".join(map(_cell, line))} |\n' for line in lines)


def _cell(value: object) -> str:
  text = f'{value:,}' if isinstance(value, int) else str(value)
  return text.replace('|', '\\|')


def put_rows(
  page: pathlib.Path,
  name: str,
  head: Sequence[str],
  rows: Iterable[Sequence[Any]],
  *,
  summed: int = 0,
) -> None:
  """Puts a table between the comments of a name; see `put`.

  Args:
    page: that has them.
    name: of the comments.
    head: of the table.
    rows: which replace those of the same first cell; others stay.
    summed: so many cells after the first are whole numbers, to which those of
      the row that is replaced are added.
  """
  begin, end = _comments(name)
  there = page.read_text(encoding='utf-8').partition(begin)[2].partition(end)[0]
  last = {line.partition(' | ')[0]: line for line in there.splitlines()[2:]}
  for row in rows:
    title, cells = f'| {_cell(row[0])}', list(row)
    earlier = last.get(title, '').split(' | ')[1 : summed + 1]
    for i, cell in enumerate(earlier, start=1):
      cells[i] += int(cell.replace(',', ''))
    last[title] = table((), [cells]).splitlines()[2]
  titles = table(head, ()).splitlines()
  put(page, name, '\n'.join([*titles, *last.values()]))


def put(page: pathlib.Path, name: str, text: str) -> None:
  """Puts a text between the comments of a name; the rest of the page stays.

  Args:
    page: that has them.
    name: of the comments `<!-- NAME -->` and `<!-- end of NAME -->`.
    text: for between them.

  Raises:
    ValueError: if the page has none.
  """
  begin, end = _comments(name)
  whole = page.read_text(encoding='utf-8')
  before, found, rest = whole.partition(begin)
  _, ended, after = rest.partition(end)
  if not (found and ended):
    raise ValueError(f'{page} has no place for {name}')
  page.write_text(
    f'{before}{begin}{text.rstrip()}\n{end}{after}', encoding='utf-8'
  )


def _comments(name: str) -> tuple[str, str]:
  return f'<!-- {name} -->\n', f'<!-- end of {name} -->'
