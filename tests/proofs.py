"""What the commands have in common that write a table of `docs/proofs.md`."""

import argparse
from collections.abc import Sequence
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
  words: Sequence[str], seconds: float, what: str, *flags: str
) -> argparse.Namespace:
  """What such a command was given: seconds, a seed, json and names.

  Args:
    words: of the command.
    seconds: of each name, if it was given none.
    what: the names are of, and are kept as.
    *flags: that it knows beside --json.
  """
  parser = argparse.ArgumentParser()
  parser.add_argument('--seconds', type=float, default=seconds)
  parser.add_argument('--seed', type=int, default=0)
  for flag in ('json', *flags):
    parser.add_argument(f'--{flag}', action='store_true')
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
