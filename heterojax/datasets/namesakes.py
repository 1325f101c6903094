"""Files that a table names in the way of another machine.

Where a path has no file as it stands, one look at all files of the folder finds
those of the same name, whatever the slashes, the ending, capitals, the form of
Unicode and the folders around. Of several the one with the longest common tail
is meant. That is used where it explains every such path, or where no path of
the table has a file as it stands; else it is said. Where some paths tell in
which folder here they begin, a path that begins there as well keeps its own
folders: one of a folder that has not arrived has no file.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
import dataclasses
import functools
import pathlib
import posixpath
from typing import NamedTuple
import unicodedata
from urllib import parse

from heterojax import addresses
from heterojax.datasets import content
from heterojax.datasets import images
from heterojax.datasets import layout
from heterojax.datasets import masks
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError


class _Name(NamedTuple):
  """A path as names are compared.

  Attributes:
    parts: its folders and its stem, without what machines change.
    ending: of an image, with small letters; '' without.
  """

  parts: tuple[str, ...]
  ending: str


def refuse_addresses(table: pathlib.Path, names: Sequence[str]) -> None:
  """Raises a UserError where a table names addresses instead of files."""
  for number, name in enumerate(names, 1):
    if addresses.is_address(name):
      raise UserError(
        f'{table}, row {number}: the path is an address ({name}), and images'
        ' are read from this machine: download them and name their folder with'
        ' --config.data.images=FOLDER.'
      )


def located(
  candidates: Sequence[Candidate], root: pathlib.Path, table: pathlib.Path
) -> tuple[list[Candidate], tuple[str, ...]]:
  """Finds the files of a table's paths.

  Args:
    candidates: with paths as the table has them.
    root: the folder where the paths start, and in which files are looked for.
    table: that names them, for notes.

  Returns:
    The candidates with the paths of their files from the root; as they are
    where there is none. And notes.
  """
  names = [*dict.fromkeys(c.path for c in candidates if c.path)]
  lost = [name for name in names if not images.exists(root / name)]
  if not lost:
    return list(candidates), ()
  tree = layout.walk(root)
  there = {posixpath.normpath(n) for n in set(names) - set(lost)}
  found, unclear = _namesakes(tree, lost, there)
  if not (found or unclear):
    return list(candidates), tree.notes
  used = len(found) == len(lost) or not there and len(found) * 2 >= len(lost)
  notes = (*tree.notes, *_notes(table, names, lost, found, unclear, used))
  if not used:
    return list(candidates), notes
  return [
    dataclasses.replace(c, path=found.get(c.path, c.path)) for c in candidates
  ], notes


def _namesakes(
  tree: layout.Tree, lost: Sequence[str], there: set[str]
) -> tuple[dict[str, str], list[str]]:
  """The file of each path that has one, and the paths that could be several."""
  wanted = {name: _compared(name) for name in lost}
  files = _by_tail(tree, {n.parts[-1] for n in wanted.values() if n.parts})
  folders = {_compared(f'{folder}/x').parts[:-1] for folder in tree.folders}
  # Names without a folder may be of any, where none of them is of the root.
  of_root = any(map(_is_bare, there))
  best = functools.cache(functools.partial(_best, files))
  found, unclear = {}, []
  # What of each path is not here, and what paths are known to begin with.
  dropped: dict[str, tuple[str, ...]] = {}
  roots = {_start(n) for n in there if not _is_bare(n)} & {('',)}
  for name, (parts, ending) in wanted.items():
    tails = [parts[i:] for i in range(len(parts))]
    bare = of_root and _is_bare(name)
    if bare or parts[:-1] and parts[:-1] in folders:
      # Its own folder is here: the file of another is another file.
      near = [f for f in files.get(parts, ()) if _compared(f).parts == parts]
      first = _best({parts: near}, parts, ending) if near else None
    else:
      tail = next((tail for tail in tails if tail in files), None)
      first = best(tail, ending) if tail else None
      if tail and first:
        dropped[name] = _start(name) + parts[: -len(tail)]
        if len(tail) > 1:
          roots.add(dropped[name])
    if first:
      found[name] = first
    elif first is not None:
      unclear.append(name)
  # One file is one image: two names of it are none.
  times = Counter(found.values())
  doubtful = dict.fromkeys(
    n
    for n, p in found.items()
    if times[p] > 1 or p in there or roots & {*_above(dropped.get(n, ()))}
  )
  unclear += doubtful
  return {n: p for n, p in found.items() if n not in doubtful}, unclear


def _is_bare(name: str) -> bool:
  return not {'/', '\\'} & set(posixpath.normpath(name))


def _start(name: str) -> tuple[str, ...]:
  """What no other part of a path tells: whether it begins at a root."""
  return ('/' if pathlib.PureWindowsPath(name).anchor else '',)


def _above(folders: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
  return (folders[:i] for i in range(len(folders)))


def _by_tail(
  tree: layout.Tree, stems: set[str]
) -> dict[tuple[str, ...], list[str]]:
  """Files of some names, by every end of their paths as names are compared."""
  files: dict[tuple[str, ...], list[str]] = {}
  for folder, inside in tree.folders.items():
    for file in inside:
      path = posixpath.join(folder, file)
      # Most files are of no interest; others than UTF-8 no manifest can name.
      stem = _compared(file).parts[-1:]
      if stem and stem[0] in stems and layout.is_utf8(path):
        parts = _compared(path).parts
        for i in range(len(parts)):
          files.setdefault(parts[i:], []).append(path)
  return files


def _best(
  files: dict[tuple[str, ...], list[str]], tail: tuple[str, ...], ending: str
) -> str:
  """The file that is meant among those with a tail; '' if that is not clear."""

  def likeness(path: str) -> tuple[bool, bool]:
    is_mask = any(map(masks.said, posixpath.dirname(path).split('/')))
    return _compared(path).ending == ending, not is_mask

  ranked = sorted(
    ((likeness(path), path) for path in files[tail]), reverse=True
  )
  if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
    return ''
  return ranked[0][1]


def _compared(path: str) -> _Name:
  if addresses.is_address(path):
    path = parse.unquote(parse.urlsplit(path).path)
  path = unicodedata.normalize('NFC', path).replace('\\', '/').casefold()
  parts = [part for part in path.split('/') if part not in ('', '.')]
  ending = ''
  if parts:
    stem, dot = posixpath.splitext(parts[-1])
    if dot in content.ENDINGS and stem:
      parts[-1], ending = stem, dot
  return _Name(tuple(parts), ending)


def _notes(
  table: pathlib.Path,
  names: Sequence[str],
  lost: Sequence[str],
  found: dict[str, str],
  unclear: Sequence[str],
  used: bool,
) -> Iterator[str]:
  start = (
    f'{len(lost):,} of the {len(names):,} paths of {table.name} name no file as'
    ' they stand'
  )
  if found:
    name, file = next(iter(found.items()))
    kinds = dict.fromkeys(k for n, f in found.items() for k in _changes(n, f))
    how = f' (other {", ".join(kinds)})' if kinds else ''
    yield (
      f'{start}; for {len(found):,} there is a file of the same name{how}, as'
      f' {file} for {name}: it is {"used" if used else "not used"}.'
    )
  if unclear:
    yield (
      f'{start}; for {len(unclear):,}, as {unclear[0]}, several files could be'
      ' meant, one file several times, or one of another folder: none is used.'
    )


def _changes(name: str, file: str) -> Iterator[str]:
  """In what a path of a table differs from the file's."""
  slashed = name.replace('\\', '/')
  if slashed != name:
    yield 'slashes'
  first, second = _compared(name), _compared(file)
  if first.ending != second.ending:
    yield 'endings'
  if first.parts != second.parts:
    yield 'folders'
  shown, own = (
    posixpath.splitext(posixpath.basename(p))[0] for p in (slashed, file)
  )
  forms = [unicodedata.normalize('NFC', text) for text in (shown, own)]
  if forms[0] == forms[1] != shown:
    yield 'forms of Unicode'
  elif forms[0] != forms[1] and first.parts[-1] == second.parts[-1]:
    yield 'capitals'
