"""Tables of `docs/proofs.md`, each written by the command that found it."""

from collections.abc import Iterable, Sequence
import pathlib

PAGE = pathlib.Path(__file__).resolve().parent.parent / 'docs' / 'proofs.md'


def write(name: str, text: str, page: pathlib.Path = PAGE) -> None:
  """Puts a text between the comments of a name; the rest of the page stays.

  Args:
    name: of the comments `<!-- NAME -->` and `<!-- end of NAME -->`.
    text: for between them.
    page: that has them.

  Raises:
    ValueError: if it has none.
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


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
  """A table in Markdown; whole numbers have commas."""
  lines = [head, ['---'] * len(head), *rows]
  return ''.join(f'| {" | ".join(map(_cell, line))} |\n' for line in lines)


def _cell(value: object) -> str:
  text = f'{value:,}' if isinstance(value, int) else str(value)
  return text.replace('|', '\\|')
