"""Files that a table names in the way of another machine.

Where a path has no file as it stands, one look at all files of the folder finds
those of the same name, whatever the slashes, the ending, capitals, the form of
Unicode and the folders around. Of several the one with the longest common tail
is meant. That is used where it explains every such path, or where no path of
the table has a file as it stands; else it is said.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
import dataclasses
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
  files: dict[str, list[tuple[str, _Name]]] = {}
  wanted = {name: _compared(name) for name in lost}
  stems = {name.parts[-1] for name in wanted.values() if name.parts}
  for folder, inside in tree.folders.items():
    for file in filter(
      layout.is_utf8, inside if layout.is_utf8(folder) else ()
    ):
      # Most files are of no interest, and normalising takes time.
      name = _compared(file)
      if name.parts and name.parts[-1] in stems:
        path = posixpath.join(folder, file)
        files.setdefault(name.parts[-1], []).append((path, _compared(path)))
  folders = {_compared(f'{folder}/x').parts[:-1] for folder in tree.folders}
  found, unclear = {}, []
  for name, compared in wanted.items():
    near = files.get(compared.parts[-1], []) if compared.parts else []
    if (inner := compared.parts[:-1]) and inner in folders:
      # Its own folder is here: the file of another is another file.
      near = [(p, n) for p, n in near if n.parts[:-1] == inner]
    ranked = sorted(
      ((_likeness(compared, n, p), p) for p, n in near), reverse=True
    )
    if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
      unclear.append(name)
    elif ranked:
      found[name] = ranked[0][1]
  # One file is one image: two names of it are none.
  times = Counter(found.values())
  doubtful = [n for n, p in found.items() if times[p] > 1 or p in there]
  found = {n: p for n, p in found.items() if n not in doubtful}
  return found, unclear + doubtful


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


def _likeness(name: _Name, other: _Name, path: str) -> tuple[int, bool, bool]:
  """How much a file is the one that is named; larger is more."""
  tail = 0
  for part, own in zip(
    reversed(name.parts), reversed(other.parts), strict=False
  ):
    if part != own:
      break
    tail += 1
  folders = posixpath.dirname(path).split('/')
  is_mask = any(map(masks.said, folders))
  return tail, name.ending == other.ending, not is_mask


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
      ' meant or one file several times: none is used.'
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
