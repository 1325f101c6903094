"""The artifacts of a finished run, and `artifacts.json`, its seal.

The seal holds the size and digest of every file that a run leaves behind and is
written last. It tells damage and mistakes; it is no signature, because whoever
changes a file on purpose can write a new seal.
"""

from collections.abc import Iterator
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import stat
from typing import Any, NamedTuple

from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import contents
from heterojax.run import locks
from heterojax.run import run_folder

SEAL = contents.SEAL
_VERSION = 1
_LONGEST_SEAL = 2**28  # Bytes; a million artifacts have a shorter one.


class Problem(NamedTuple):
  """What is wrong with a run folder.

  Attributes:
    path: relative to the folder.
    what: 'missing'; 'truncated', if shorter than it was; 'tampered', if of
      other bytes; 'foreign', if the seal does not know it or it is no plain
      file; 'unreadable'.
  """

  path: str
  what: str

  def __str__(self) -> str:
    if self == (SEAL, 'missing'):
      return f'missing: {SEAL}, so the run has not finished'
    return f'{self.what}: {self.path}'


def fingerprint(path: pathlib.Path) -> dict[str, Any]:
  """Size and digest of a file, read in pieces.

  Args:
    path: of a plain file.

  Returns:
    `bytes` and `blake2b`.

  Raises:
    OSError: if it cannot be read, or is a symbolic link.
  """
  with os.fdopen(os.open(path, locks.READ), 'rb') as file:
    kind = functools.partial(hashlib.blake2b, digest_size=16)
    digest = hashlib.file_digest(file, kind).hexdigest()
    return {'bytes': file.tell(), 'blake2b': digest}


def seal(folder: pathlib.Path) -> None:
  """Writes `artifacts.json`: from here on the run is finished.

  Files that a run began to write when it was killed are taken away.

  Args:
    folder: of the run. Links in it are no artifacts.

  Raises:
    OSError: if an artifact cannot be read, or the seal not be written.
  """
  present, _ = _contents(folder)
  files = {}
  for name in sorted(name for name, plain in present.items() if plain):
    if contents.is_unfinished(name):
      (folder / name).unlink()
    elif contents.belongs(name):
      files[name] = fingerprint(folder / name)
  atomic.write(folder / SEAL, _text(files))


def read(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
  """Artifacts as they were written: path to `bytes` and `blake2b`.

  Args:
    folder: of a run.

  Returns:
    Paths relative to the folder; none leads out of it.

  Raises:
    OSError: if the seal cannot be read.
    UserError: if a newer release wrote it.
    ValueError: if it is not as it was written.
  """
  descriptor = os.open(folder / SEAL, locks.READ)
  with os.fdopen(descriptor, 'rb') as file:
    if os.fstat(descriptor).st_size > _LONGEST_SEAL:
      raise ValueError('it is too long')
    text = file.read()
  try:
    tree = json.loads(text)
    version, files = tree['schema_version'], tree['files']
    newer = type(version) is int and version > _VERSION
    # Where all else is as here, that number is damaged.
    if newer and text != _text(files, version).encode():
      raise UserError(
        f'{folder / SEAL} was written by a newer release of heterojax: use that'
        ' one for this run.'
      )
    if text != _text(files).encode():
      raise ValueError('its own digest differs')
    for name, file in files.items():
      if not contents.belongs(name) or file.keys() != {'bytes', 'blake2b'}:
        raise ValueError(f'{name} is no artifact')
      if type(file['bytes']) is not int:
        raise ValueError(f'{name} has no size')
  except (AttributeError, LookupError, RecursionError, TypeError) as error:
    raise ValueError('it is no seal') from error
  return files


def problems(folder: pathlib.Path) -> list[Problem]:
  """Compares a run folder with its seal.

  Only what lies in the folder is opened, and nothing through a link, whatever
  the seal names.

  Args:
    folder: of a run.

  Returns:
    By path; empty if all artifacts are as they were written. One, of the seal,
    if that is missing (the run has not finished) or damaged.

  Raises:
    UserError: if a newer release wrote it.
  """
  try:
    if not stat.S_ISREG(os.lstat(folder / SEAL).st_mode):
      return [Problem(SEAL, 'tampered')]
    sealed = read(folder)
  except FileNotFoundError:
    return [Problem(SEAL, 'missing')]
  except OSError:
    return [Problem(SEAL, 'unreadable')]
  except ValueError:
    return [Problem(SEAL, 'tampered')]
  present, closed = _contents(folder)
  faults = [Problem(name.rstrip('/') or '.', 'unreadable') for name in closed]
  faults += [
    Problem(name, 'missing')
    for name in sealed
    if name not in present and not name.startswith(tuple(closed))
  ]
  for name, plain in present.items():
    if not plain or name not in sealed:
      faults.append(Problem(name, 'foreign'))
    elif what := _changed(folder / name, sealed[name]):
      faults.append(Problem(name, what))
  return sorted(faults)


def check(folder: pathlib.Path, *names: str) -> None:
  """Refuses to read files that are not as their run left them.

  Args:
    folder: of a run, or with copies of its files; of these nothing is known.
    names: of files that are read, where the run has them.

  Raises:
    UserError: if the run has not finished, one has changed since, or the seal
      cannot be read, or is of a newer release.
  """
  try:
    sealed = read(folder)
  except (FileNotFoundError, NotADirectoryError) as error:
    # Of a finished run that was begun again some files may be the earlier ones.
    if run_folder.is_one(folder):
      raise UserError(
        f'{folder} holds a run that has not finished: give the command of its'
        ' study again.'
      ) from error
    return
  except (OSError, ValueError) as error:
    raise UserError(
      f'{folder / SEAL} cannot be read, so nobody knows whether the run is as'
      ' it was: give the command of its study again.'
    ) from error
  for name in names:
    if name in sealed and (what := _changed(folder / name, sealed[name])):
      raise UserError(
        f'{folder / name} is {what} since its run was finished: give the'
        ' command of its study again, which makes it anew.'
      )


def folder_of(path: str | None, flag: str) -> pathlib.Path:
  """The folder that a flag names.

  Args:
    path: as given.
    flag: its name, for messages.

  Returns:
    The folder.

  Raises:
    UserError: if no run was ever begun in it.
  """
  if not path:
    raise UserError(f'Say which run it is with --{flag}=DIR.')
  folder = pathlib.Path(path).expanduser()
  if not any(os.path.lexists(folder / name) for name in ('config.json', SEAL)):
    raise UserError(
      f'{folder} is no run folder: --{flag} must name the --workdir of a study.'
    )
  return folder


@contextlib.contextmanager
def undisturbed(*folders: pathlib.Path) -> Iterator[None]:
  """Keeps runs out of folders while they are read, and writes nothing there.

  Args:
    *folders: of runs.

  Yields:
    Nothing.

  Raises:
    RefusedError: if a run is using one.
  """
  with contextlib.ExitStack() as stack:
    for folder in folders:
      try:
        stack.enter_context(locks.shared(folder / contents.LOCK))
      except BlockingIOError as error:
        raise RefusedError(
          f'{folder} is in use by another run: wait for it.'
        ) from error
    yield


def _text(files: dict[str, dict[str, Any]], version: int = _VERSION) -> str:
  return run_folder.to_json({
    'schema_version': version,
    'files': files,
    'digest': run_folder.digest(files),
  })


def _contents(folder: pathlib.Path) -> tuple[dict[str, bool], list[str]]:
  """Paths of all but folders, to whether it is a plain file; closed folders."""
  paths, closed, waiting = {}, [], ['']
  while waiting:
    within = waiting.pop()
    try:
      with os.scandir(folder / within) as entries:
        for entry in entries:
          name = within + entry.name
          if name in contents.NO_ARTIFACTS:
            continue
          if entry.is_dir(follow_symlinks=False):
            waiting.append(f'{name}/')
          else:
            paths[name] = entry.is_file(follow_symlinks=False)
    except OSError:
      closed.append(within)
  return paths, closed


def _changed(path: pathlib.Path, written: dict[str, Any]) -> str:
  """What happened to a file; empty if nothing did."""
  try:
    if os.lstat(path).st_size < written['bytes']:
      return 'truncated'
    return '' if fingerprint(path) == written else 'tampered'
  except FileNotFoundError:
    return 'missing'
  except OSError:
    return 'unreadable'
