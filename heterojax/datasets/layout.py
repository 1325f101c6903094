"""What readers of downloads share: files at any depth, and known counts."""

from collections.abc import Iterable, Mapping, Sequence
import filecmp
import os
import pathlib
import posixpath
from typing import NamedTuple

from heterojax import regular_files
from heterojax.errors import UserError
from heterojax.run import contents


class Tree(NamedTuple):
  """What lies below a folder.

  Attributes:
    root: the folder.
    folders: names of the files directly in each folder, by its path from the
      root ('' for the root itself); shallowest folders first.
    notes: folders that could not be listed, as sentences.
    hidden: what does not count, by its path from the root.
  """

  root: pathlib.Path
  folders: dict[str, tuple[str, ...]]
  notes: tuple[str, ...] = ()
  hidden: tuple[str, ...] = ()


def walk(root: pathlib.Path) -> Tree:
  """Lists a folder at any depth, with no system call per file.

  Args:
    root: the folder. What begins with a dot does not count, nor does the
      `__MACOSX` that archives of macOS hold, nor what a run wrote: its figures
      would be images. Links are followed, and every folder is met once.

  Returns:
    The files; whatever is no folder counts as one.

  Raises:
    UserError: if the folder itself cannot be listed.
  """
  folders, notes, hidden, met = {}, [], [], set()
  level = ['']  # The folders of one depth.
  while level:
    below = []
    for folder in level:
      try:
        status = os.stat(root / folder)
        if (status.st_dev, status.st_ino) in met:
          continue
        met.add((status.st_dev, status.st_ino))
        with os.scandir(root / folder) as entries:
          every = sorted((e.name, _is_folder(e)) for e in entries)
      except OSError as error:
        if not folder:
          raise UserError(
            f'{root} cannot be searched ({error.strerror}).'
          ) from error
        notes.append(
          f'The folder {folder} could not be searched ({error.strerror}).'
        )
        continue
      names = {name for name, _ in every}
      has_begun = names.issuperset(contents.TELLING)
      if folder and (has_begun or _is_locked(root / folder, every)):
        notes.append(f'The folder {folder} is of a run, and not looked at.')
        continue
      own = contents.WRITTEN if has_begun else ()
      children = [c for c in every if _counts(c[0]) and c[0] not in own]
      hidden += [
        posixpath.join(folder, name) for name, _ in every if not _counts(name)
      ]
      folders[folder] = tuple(name for name, inner in children if not inner)
      below += [
        posixpath.join(folder, name) for name, inner in children if inner
      ]
    level = below
  return Tree(root, folders, tuple(notes), tuple(hidden))


def _is_folder(entry: os.DirEntry) -> bool:
  try:
    return entry.is_dir()
  except OSError:  # A link to itself.
    return False


def _is_locked(path: pathlib.Path, every: Iterable[tuple[str, bool]]) -> bool:
  """Whether a run is about to begin there, or data are prepared there.

  Neither writes other files into the folder itself, nor anything into a lock:
  one that has them is of data, whosever the lock is.
  """
  files = {name for name, inner in every if not inner}
  if contents.LOCK not in files or any(map(_counts, files - contents.WRITTEN)):
    return False
  try:
    return not (path / contents.LOCK).lstat().st_size
  except OSError:  # It was taken away meanwhile.
    return False


def _counts(name: str) -> bool:
  return not name.startswith('.') and name != '__MACOSX'


def read_file(path: pathlib.Path) -> bytes:
  """Content of a regular file.

  Raises:
    OSError: if it cannot be read, or is a pipe or a device, which may never
      end.
  """
  return regular_files.read(path)


def find_table(
  path: pathlib.Path, names: Sequence[str], download: str
) -> tuple[Tree, pathlib.Path]:
  """Finds the table of a download.

  Args:
    path: the folder of the download, or the table itself.
    names: what the table may be called.
    download: what the download is called in messages.

  Returns:
    What lies in the folder, and the shallowest table.

  Raises:
    UserError: if there is none, or more than one.
  """
  wanted = f'--config.data.dir must be the folder of {download}'
  # Unlike pathlib's, these never raise.
  if os.path.isfile(path):
    return walk(path.parent), path
  if not os.path.isdir(path):
    raise UserError(f'{path} does not exist: {wanted}.')
  tree = walk(path)
  tables = [
    posixpath.join(folder, name)
    for folder, files in tree.folders.items()
    for name in files
    if name in names
  ]
  tables = [name for name in tables if name.count('/') == tables[0].count('/')]
  if not tables:
    for parent in list(path.resolve().parents)[:3]:
      if any(os.path.isfile(parent / name) for name in names):
        wanted = f'{parent} does, so give that as --config.data.dir'
        break
    raise UserError(f'{path} holds no {" or ".join(names)}: {wanted}.')
  first = path / tables[0]
  if not all(_is_same(first, path / name) for name in tables[1:]):
    raise UserError(
      f'{path} holds {" and ".join(tables)}: name the one to use with'
      ' --config.data.dir.'
    )
  return tree, first


def _is_same(one: pathlib.Path, other: pathlib.Path) -> bool:
  try:
    return filecmp.cmp(one, other, shallow=False)
  except OSError:
    return False


def holders(tree: Tree, names: Iterable[str]) -> dict[str, list[str]]:
  """Folders that hold any of some files, with those; most of them first."""
  names = set(names)
  held = {
    folder: [name for name in files if name in names]
    for folder, files in tree.folders.items()
    if is_utf8(folder)
  }
  order = sorted((f for f in held if held[f]), key=lambda f: -len(held[f]))
  return {folder: held[folder] for folder in order}


def is_utf8(name: str) -> bool:
  """Whether a manifest can hold a name of a file."""
  try:
    name.encode()
  except UnicodeEncodeError:
    return False
  return True


def locate(
  tree: Tree, table: pathlib.Path, names: Sequence[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
  """Finds image files by their names, whatever folders they lie in.

  Args:
    tree: of the download.
    table: that names them, for messages.
    names: of the files.

  Returns:
    The path of each from the root; of a name in several folders, that in the
    folder with the most of them; of a name without a file, where it could be.
    And notes.

  Raises:
    UserError: if there is none of them.
  """
  folders = holders(tree, names)
  if not folders:
    raise no_images(tree, table, names)
  paths = {}
  for folder, held in reversed(folders.items()):
    prefix = f'{folder}/' if folder else ''
    paths |= {name: prefix + name for name in held}
  there = len(paths)
  repeated = sum(map(len, folders.values())) - there
  folder = next(iter(folders)) if len(folders) == 1 else ''
  for name in names:
    if name not in paths:
      paths[name] = posixpath.join(folder, name)
  notes = [
    f'{there:,} of the {len(paths):,} images that {table.name} names are here.'
  ]
  if repeated:
    notes.append(
      f'{repeated:,} images lie in more than one folder: that in'
      f' {next(iter(folders)) or tree.root} is used.'
    )
  return paths, tuple(notes)


def no_images(
  tree: Tree, table: pathlib.Path, names: Sequence[str]
) -> UserError:
  example = next((name for name in names if name), '')
  return UserError(
    f'{tree.root} holds none of the {len(set(names)):,} images that'
    f' {table.name} names, as {example}: unpack the images of the download'
    ' beside it.'
  )


def unique(names: Sequence[str]) -> list[str]:
  """The names; from its second time on, `name` is `name#2`, `name#3`, ..."""
  taken, times, distinct = set(names), {}, []
  for name in names:
    times[name] = times.get(name, 0) + 1
    if times[name] > 1:
      while f'{name}#{times[name]}' in taken:
        times[name] += 1
      taken.add(f'{name}#{times[name]}')
      name = f'{name}#{times[name]}'
    distinct.append(name)
  return distinct


def compare(
  name: str, counts: Mapping[str, int], published: Mapping[str, int]
) -> tuple[str, ...]:
  """Says how a table differs from the published one.

  Args:
    name: of the table.
    counts: how many there are of what, `rows` among it.
    published: the same of the published table.

  Returns:
    Sentences.
  """
  keys = list(dict.fromkeys([*published, *counts]))
  pairs = {k: (counts.get(k, 0), published.get(k, 0)) for k in keys}
  different = {k: pair for k, pair in pairs.items() if pair[0] != pair[1]}
  if not different:
    return (f'{name} has the published {published["rows"]:,} rows and counts.',)
  rows, known = pairs['rows']
  notes = [f'{name} has {rows:,} rows, as published.']
  if rows != known:
    is_part = all(n <= m for n, m in different.values())
    meaning = 'a part of it' if is_part else 'another file'
    notes = [
      f'{name} has {rows:,} rows; the published file has {known:,}: this is'
      f' {meaning}.'
    ]
  others = ', '.join(
    f'{k} {n:,} ({m:,})' for k, (n, m) in different.items() if k != 'rows'
  )
  if others:
    notes.append(f'Other counts of {name} (published ones): {others}.')
  return tuple(notes)
