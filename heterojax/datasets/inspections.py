"""What looking at images found, kept in a file for the next start.

Decoding every image is what takes long before a study begins. The file has a
line for each image, with its own digest: a run that was killed loses what it
had not written yet, and a damaged line its image. Bytes are read and digested
again at every start, so that a changed file is found whatever its date.
"""

import functools
import hashlib
import json
import pathlib
import sys
from types import TracebackType
from typing import NamedTuple, Self

from heterojax.datasets import images
from heterojax.datasets import pixels
from heterojax.datasets import sources
from heterojax.run import contents
from heterojax.run import environment
from heterojax.run import links
from heterojax.run import run_folder
from heterojax.version import __version__

# Decoders may come to read a file otherwise.
_DECODERS = ('numpy', 'pillow', 'pydicom')
_LINES = 1000  # That are written at a time.


class Found(NamedTuple):
  """What one look found.

  Attributes:
    look: at the candidate.
    sha256: of the encoded image; '' where there was none to read.
    is_new: whether no earlier look found it.
  """

  look: sources.Inspection
  sha256: str = ''
  is_new: bool = False


class Inspections:
  """Looks at candidates, and at the same bytes only once; a context manager.

  Args:
    folder: of the file; without it nothing is kept.
    trusted: whether what was found before is taken as it is, without reading
      the images: whoever uses one must then compare its digest.
  """

  def __init__(self, folder: pathlib.Path | None = None, trusted: bool = False):
    self._path = folder and folder / contents.INSPECTED
    self._trusted = trusted
    self._known: dict[tuple[str, str], Found] = {}
    self._unwritten: list[str] = []

  def __enter__(self) -> Self:
    line = b'\n'
    if self._path and self._path.exists():
      with self._path.open('rb') as file:
        for line in file:
          self._known.update(_entry(line))
    if not line.endswith(b'\n'):  # Of a run that was killed.
      self._unwritten.append('\n')
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None:
    self._write()

  def look(
    self, source: sources.Source, path: str, levels: images.Range
  ) -> Found:
    """Looks at one candidate; from any thread.

    Args:
      source: of it.
      path: in the source.
      levels: which values of an image become 0 and 255.

    Returns:
      What was found; `keep` it.
    """
    if not isinstance(source, sources.ImageSource):
      return Found(source.inspect(path))
    known = self._known.get((_about(source.name, levels), path))
    if known and self._trusted:
      return known
    try:
      data = source.read(path)
    except images.UnreadableImage as error:
      return Found(sources.Inspection(str(error)))
    digest = images.digest(data)
    if known and known.sha256 == digest:
      return known
    return Found(sources.inspect_data(data, levels), digest, is_new=True)

  def keep(
    self,
    source: sources.Source,
    path: str,
    levels: images.Range,
    found: Found,
  ) -> None:
    """Keeps what `look` found; from the thread that opened the file."""
    if not self._path or self._trusted or not found.is_new:
      return
    look = found.look
    shown = look.shown and [*look.shown]
    values = [look.problem, look.columns, look.is_two_valued, shown, look.note]
    entry = [_about(source.name, levels), path, found.sha256, values]
    self._unwritten.append(_line(json.dumps(entry)))
    if len(self._unwritten) >= _LINES:
      self._write()

  def _write(self) -> None:
    if self._path and any(map(str.strip, self._unwritten)):
      self._path.parent.mkdir(parents=True, exist_ok=True)
      with (
        links.named(self._path),
        links.opened(self._path, 'a', encoding='ascii') as file,
      ):
        file.writelines(self._unwritten)
      self._unwritten.clear()


@functools.lru_cache
def _about(name: str, levels: images.Range) -> str:
  """Digest of all but the bytes that a look depends on."""
  by = environment.versions(_DECODERS) | {'heterojax': __version__}
  return run_folder.digest([name, levels, by])


def _entry(line: bytes) -> dict[tuple[str, str], Found]:
  """What a line says; nothing, where it is damaged."""
  text = line[: line.rfind(b' ')].decode('ascii', 'replace')
  if not text or _line(text).encode() != line:
    return {}
  try:
    about, path, digest, values = json.loads(text)
    return {(sys.intern(about), path): Found(_look(*values), digest)}
  # Its digest is right, and it is not of this program.
  except (RecursionError, TypeError, ValueError):
    return {}


def _look(
  problem: str,
  columns: list[list[str]],
  is_two_valued: bool,
  shown: list[float] | None,
  note: str,
) -> sources.Inspection:
  # A million images have the same names of columns.
  named = tuple((sys.intern(name), value) for name, value in columns)
  where = pixels.Extent(*shown) if shown else None
  return sources.Inspection(problem, named, is_two_valued, where, note)


def _line(text: str) -> str:
  digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
  return f'{text} {digest}\n'
