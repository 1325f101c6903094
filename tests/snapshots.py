"""Text that is compared with a reviewed file, one file for a page.

UPDATE_SNAPSHOTS=1 writes the files anew; `git diff` then shows what changed.
"""

import difflib
import html
import io
import os
import pathlib
import re

from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent / 'snapshots'


def check(name: str, text: str) -> None:
  """Compares a text with `tests/snapshots/NAME.txt`.

  Args:
    name: of the file, without its ending.
    text: lines.

  Raises:
    AssertionError: with the difference.
  """
  path = FOLDER / f'{name}.txt'
  if os.environ.get('UPDATE_SNAPSHOTS'):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
  expected = path.read_text() if path.exists() else ''
  lines = difflib.unified_diff(
    expected.splitlines(), text.splitlines(), str(path), 'now', lineterm=''
  )
  assert expected == text, '\n'.join(lines)


class NoFigures(dict[str, bytes]):
  """An empty picture for every name of a figure."""

  def __missing__(self, name: str) -> bytes:
    if name.endswith('.svg'):
      return b''
    buffer = io.BytesIO()
    Image.new('RGB', (1, 1)).save(buffer, 'PNG')
    return buffer.getvalue()


def words(page: str) -> str:
  """What a page says, a line for each element; pictures by what they show."""
  text = re.sub(r'(?s)<(style|script|nav)\b.*?</\1>', '', page)
  text = re.sub(r'<a [^>]*download=[^>]*>\w+</a>', '', text)
  text = re.sub(r'<img[^>]*alt="([^"]*)"[^>]*>', r'\n[\1]\n', text)
  text = text.replace('<small>', ' ')  # It is on a line of its own in a cell.
  text = re.sub(r'</?(b|i|code|strong|small|span|a)\b[^>]*>', '', text)
  text = html.unescape(re.sub(r'<[^>]+>', '\n', text))
  lines = (' '.join(line.split()) for line in text.splitlines())
  return '\n'.join(line for line in lines if line) + '\n'
