"""Tables of `docs/proofs.md`, each written by the command that found it."""

import argparse
from collections.abc import Iterable, Sequence
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

_TESTS = pathlib.Path(__file__).resolve().parent
PAGE = _TESTS.parent / 'docs' / 'proofs.md'
PATHS = {'PYTHONPATH': str(_TESTS)}


def arguments(
  words: Sequence[str], seconds: float, what: str
) -> argparse.Namespace:
  """What such a command was given: seconds, a seed, json and names.

  Args:
    words: of the command.
    seconds: of each name, if it was given none.
    what: the names are of, and are kept as.
  """
  parser = argparse.ArgumentParser()
  parser.add_argument('--seconds', type=float, default=seconds)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--json', action='store_true')
  parser.add_argument(what, nargs='*')
  return parser.parse_args(words)


def printed(module: str, seconds: float, *names: str) -> Any:
  """What a command prints with --json, in a process of its own."""
  words = [module, '--json', f'--seconds={seconds}', *names]
  done = subprocess.run(
    [sys.executable, '-m', *words],
    env=os.environ | PATHS,
    cwd=_TESTS.parent,
    capture_output=True,
    text=True,
    check=False,
  )
  assert not done.returncode, done.stdout + done.stderr[-3000:]
  return json.loads(done.stdout)


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
