"""What a command writes where a flag says: over nothing that is needed."""

from collections.abc import Iterable, Mapping
import os
import pathlib

from heterojax import addresses
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import contents
from heterojax.run import run_folder

# Beside what is written by names of our own: which these are.
_WRITTEN = '.heterojax.json'
# Of a run, none of which a command writes for its user.
_FILES = (*contents.FILES, contents.SEAL, contents.LOCK, contents.LOG)


def local(path: str, flag: str) -> pathlib.Path:
  """The folder, or file, to write that a flag names.

  Args:
    path: as given.
    flag: its name, for messages.

  Returns:
    Its path.

  Raises:
    UserError: for an address, as of a bucket, which would become a folder here,
      and for what is an artifact of a run, or among them.
  """
  if addresses.is_address(path):
    raise UserError(
      f'--{flag} is {path}, but must be a folder of this machine: write there,'
      ' and copy it to the address when it is finished.'
    )
  named = pathlib.Path(path).expanduser()
  # Another name of a folder leads there as well.
  for whole in (os.path.abspath(named), os.path.realpath(named)):
    for folder in pathlib.Path(whole).parents:
      name = pathlib.Path(whole).relative_to(folder)
      ours = name.parts[0] in contents.FOLDERS or str(name) in _FILES
      if ours and run_folder.is_one(folder):
        raise UserError(
          f'--{flag} is {path}, which is of the run in {folder}: choose another'
          f' --{flag}.'
        )
  return named


def folder(path: str, flag: str) -> pathlib.Path:
  """The folder that a flag names for files that are not those of a run.

  Raises:
    UserError: as `local`, and for the folder of a run, in which `verify` would
      call them foreign.
  """
  named = local(path, flag)
  if run_folder.is_one(named):
    raise UserError(
      f'--{flag} is {path}, the folder of a run, which would hold more than its'
      f' run wrote: choose another --{flag}.'
    )
  return named


def file(path: str, flag: str, read: Iterable[str] = ()) -> pathlib.Path:
  """The file to write that a flag names, which nobody else needs.

  Args:
    path: as given.
    flag: its name, for messages.
    read: paths of what the command reads.

  Returns:
    The file.

  Raises:
    UserError: for an address, a folder, what is read, and an artifact of a run.
  """
  named = local(path, flag)
  if named.is_dir():
    raise UserError(
      f'--{flag} is {path}, which is a folder: choose another file.'
    )
  for other in map(os.path.expanduser, read):
    if named.exists() and os.path.exists(other) and named.samefile(other):
      raise UserError(
        f'--{flag} is {path}, which is read, too: choose another file.'
      )
  return named


def write(
  path: str, flag: str, contents_of: Mapping[str, str | bytes]
) -> tuple[pathlib.Path, ...]:
  """Writes files, by names of our own, into the folder that a flag names.

  Args:
    path: of the folder, as given.
    flag: its name, for messages.
    contents_of: the files by their names, in this order.

  Returns:
    Their paths.

  Raises:
    UserError: as `folder`, and where one is there beside files of others and no
      earlier call wrote it: who named the folder did not name it.
  """
  where = folder(path, flag)
  ours = {name.casefold() for name in contents_of}
  written = _written(where)
  theirs = [
    name
    for name in contents_of
    if os.path.lexists(where / name) and name not in written
  ]
  others = theirs and [
    name
    for name in os.listdir(where)
    if name.casefold() not in ours and not name.startswith('.')
  ]
  if others:
    raise UserError(
      f'--{flag} is {path}, which holds {theirs[0]} beside other files, and it'
      ' would be written over: choose another folder.'
    )
  # First: a call that is killed goes on among the files of others.
  names = {'written': sorted({*written, *contents_of})}
  files = {where / name: content for name, content in contents_of.items()}
  atomic.write_together({
    where / _WRITTEN: run_folder.to_json(names),
    **files,
  })
  return tuple(files)


def _written(folder: pathlib.Path) -> list[str]:
  """Names that earlier calls wrote into a folder."""
  try:
    match run_folder.read_json(folder / _WRITTEN):
      case {'written': [*names]}:
        return [*filter(lambda name: isinstance(name, str), names)]
  except (OSError, ValueError):
    pass
  return []


def unfinished(path: pathlib.Path) -> pathlib.Path:
  """The folder beside a file that holds what is done of it.

  It is taken away once the file is there.

  Raises:
    RefusedError: if it holds what is none of that.
  """
  parts = path.with_name(f'.{path.name}.parts')
  names = os.listdir(parts) if parts.is_dir() else []
  if others := {*names} - {contents.LOCK, *contents.LEFT}:
    raise RefusedError(
      f'{parts} holds {min(others)}, but should hold what is done of'
      f' {path.name}: choose another --out.'
    )
  return parts
