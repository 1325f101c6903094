"""Folders of runs: the one that a command has by itself, and what they hold."""

from collections.abc import Iterator
import pathlib
import re
from typing import Any

from heterojax.run import run_folder

_FOLDER = 'runs'
_DIGITS = 8  # Of the configuration's digest.


def called(configuration: str) -> str:
  """The name of a configuration, from its file with arguments."""
  return pathlib.Path(configuration.partition(':')[0]).stem


def default(config: dict[str, Any], configuration: str) -> str:
  """The run folder of a command that names none.

  It is called after the data, or else the configuration, and the digest of all
  settings: the same command resumes it, and no other comes into it.

  Args:
    config: the resolved configuration.
    configuration: its file, with arguments.
  """
  data = config['data']['dir'] or called(configuration)
  name = re.sub(r'\W+', '_', pathlib.Path(data).stem).strip('_') or 'run'
  return f'{_FOLDER}/{name}-{run_folder.digest(config)[:_DIGITS]}'


def lines(folder: pathlib.Path) -> Iterator[str]:
  """A line for each run in a folder: its name, study, data and answer."""
  for config in sorted(folder.glob('*/config.json')):
    known = _read(config)
    data = _object(known.get('data'))
    yield (
      f'{config.parent}: {known.get("study", "?")},'
      f' {data.get("dir") or data.get("files") or data.get("dataset", "?")}:'
      f' {_answer(config.parent / "results.json")}'
    )


def _answer(path: pathlib.Path) -> str:
  if not path.exists():
    return 'not finished'
  verdict = _object(_read(path).get('verdict'))
  return str(verdict.get('answer', 'no answer')).replace('_', ' ')


def _read(path: pathlib.Path) -> dict[str, Any]:
  """What a JSON file holds; nothing where it is damaged."""
  try:
    return run_folder.read_json(path)
  except (OSError, ValueError):
    return {}


def _object(found: Any) -> dict[str, Any]:
  """What is read as an object, whoever wrote it."""
  return found if isinstance(found, dict) else {}
