"""Reads `results.json` of a finished run, of any study."""

from collections.abc import Iterator
import contextlib
import json
import pathlib
from typing import Any, TypeVar

from heterojax import errors
from heterojax.errors import UserError
from heterojax.records import codec
from heterojax.run import artifacts
from heterojax.studies import images
from heterojax.studies import records
from heterojax.studies import registry

T = TypeVar('T')


@contextlib.contextmanager
def unchanged(*folders: pathlib.Path) -> Iterator[None]:
  """Keeps what is read of runs as they left it.

  Args:
    *folders: of the runs.

  Yields:
    Nothing.

  Raises:
    UserError: if a run has not finished, or a file has changed since.
    RefusedError: if a run is using a folder.
  """
  with artifacts.undisturbed(*folders):
    for folder in folders:
      artifacts.check(folder, 'config.json', 'results.json', *images.SOURCES)
    yield


def read(path: pathlib.Path) -> Any:
  """The results of a run.

  Args:
    path: of its `results.json`.

  Returns:
    The record of its study.

  Raises:
    UserError: if it cannot be read, or is of another version.
  """
  tree = load(path)
  if (study := registry.find(name := tree.get('study'))) is None:
    raise UserError(
      f'{path} is of the study {name!r}, which this version of heterojax does'
      f' not know: it has {", ".join(registry.STUDIES)}.'
    )
  return parse(path, study.results, tree)


def load(path: pathlib.Path) -> dict[str, Any]:
  """The JSON object that a file holds.

  Raises:
    UserError: if there is none.
  """
  if not path.is_file():
    raise UserError(
      f'There is no {path}: name the folder of a study that has finished.'
    )
  try:
    tree = json.loads(path.read_bytes(), parse_constant=_no_constant)
  except OSError as error:
    raise UserError(
      f'{path} cannot be read ({error.strerror}): check its permissions.'
    ) from error
  except (ValueError, RecursionError) as error:
    raise errors.damaged(path, 'it is not JSON') from error
  if not isinstance(tree, dict):
    raise errors.damaged(path, 'it is not an object')
  return tree


def parse(path: pathlib.Path, kind: type[T], tree: dict[str, Any]) -> T:
  """The record of results.

  Args:
    path: of the file, for messages.
    kind: of the record.
    tree: what the file holds.

  Returns:
    The record.

  Raises:
    UserError: if it is of another version, or not what the record says.
  """
  if (version := tree.get('schema_version')) != records.VERSION:
    raise UserError(
      f'{path} has the schema_version {version!r}, but this version of'
      f' heterojax reads {records.VERSION}: run the study again, or use the'
      ' version that wrote it.'
    )
  try:
    return codec.decode(kind, tree)
  except codec.Mismatch as error:
    raise errors.damaged(path, str(error)) from error


def _no_constant(name: str) -> None:
  raise ValueError(f'{name} is no JSON')
