"""Tables in Markdown, and their places on a page."""

from collections.abc import Iterable, Sequence
import pathlib


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
  """Whole numbers have commas."""
  lines = [head, ['---'] * len(head), *rows]
  return ''.join(f'| {" | ".join(map(_cell, line))} |\n' for line in lines)


def _cell(value: object) -> str:
  text = f'{value:,}' if isinstance(value, int) else str(value)
  return text.replace('|', '\\|')


def put(page: pathlib.Path, name: str, text: str) -> None:
  """Puts a text between the comments of a name; the rest of the page stays.

  Args:
    page: that has them.
    name: of the comments `<!-- NAME -->` and `<!-- end of NAME -->`.
    text: for between them.

  Raises:
    ValueError: if the page has none.
  """
  begin, end = f'<!-- {name} -->\n', f'<!-- end of {name} -->'
  whole = page.read_text(encoding='utf-8')
  before, found, rest = whole.partition(begin)
  _, ended, after = rest.partition(end)
  if not (found and ended):
    raise ValueError(f'{page} has no place for {name}')
  page.write_text(
    f'{before}{begin}{text.rstrip()}\n{end}{after}', encoding='utf-8'
  )
