"""Data in memory as files: an .npz of features, or a table of images."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import hashlib
import io
import pathlib
import re
from typing import Any, NamedTuple
import zipfile

import numpy as np

from heterojax import regular_files
from heterojax.api import table
from heterojax.datasets import png
from heterojax.datasets.manifest import csv_text
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import links

# Bytes of a file that are compared at once.
_PIECE = 1 << 20
# What the files call X.
RESERVED = ('features', 'path')
# Names of files that every system takes.
_PLAIN = re.compile(r'\w[\w .+-]{0,99}(?<![ .])')
# Modes of Pillow's images to those without loss that are written.
_MODES = {'1': 'L', 'L': 'L', 'P': 'RGB', 'RGB': 'RGB', 'RGBA': 'RGB'}


class Written(NamedTuple):
  """What is to be written.

  Attributes:
    digest: of it.
    write: takes the path of the file that is read, and writes it last.
    is_there: takes the same; whether all is as it was written.
  """

  digest: str
  write: Callable[[pathlib.Path], None]
  is_there: Callable[[pathlib.Path], bool]


def absolute(path: str) -> str:
  """The path from the root; what `..` is above a link, the system says."""
  return str(pathlib.Path(path).absolute())


def features(matrix: np.ndarray, more: Mapping[str, np.ndarray]) -> Written:
  """An .npz file, as `numpy.savez` writes it, whatever columns are called."""
  if matrix.dtype.kind == 'b':
    matrix = matrix.astype(np.uint8)
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as archive:
    for name, values in {'features': matrix, **more}.items():
      member = zipfile.ZipInfo(f'{name}.npy')  # Its time is always the same.
      with archive.open(member, 'w', force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(values))
  return _one(buffer.getvalue())


def listed(paths: Sequence[str], more: Mapping[str, np.ndarray]) -> Written:
  """A table of images that lie elsewhere."""
  return _one(_csv(paths, more).encode())


def _one(data: bytes) -> Written:
  """One file, with all that is written."""
  return Written(
    _digest([data]),
    lambda path: atomic.write(path, data),
    lambda path: _holds(path, data),
  )


def images(
  pictures: Sequence[np.ndarray], more: Mapping[str, np.ndarray]
) -> Written:
  """PNG files, which lose nothing, and their table."""
  width = len(str(len(pictures) - 1))
  names = [f'{i:0{width}}.png' for i in range(len(pictures))]
  text = _csv(names, more)

  def write(path: pathlib.Path) -> None:
    import PIL.Image  # pylint: disable=import-outside-toplevel; slow.

    for name, picture in zip(names, pictures, strict=True):
      with links.named(path.parent / name):
        PIL.Image.fromarray(picture).save(path.parent / name)
    atomic.keep(path.parent / name for name in names)
    atomic.write(path, text)

  def is_there(path: pathlib.Path) -> bool:
    return _holds(path, text.encode()) and all(
      _shows(path.parent / name, picture)
      for name, picture in zip(names, pictures, strict=True)
    )

  content = (
    part for p in pictures for part in (str(p.shape).encode(), p.tobytes())
  )
  return Written(_digest([text.encode(), *content]), write, is_there)


def encoded(
  pictures: Iterable[tuple[str, bytes | str]],
  more: Mapping[str, np.ndarray],
) -> Written:
  """Files of pictures as they are, and their table.

  Args:
    pictures: N paths that the files had, or '', each with the content of the
      file, or the path of one that stays where it is; gone through more than
      once. Names are kept where no two are the same: a patient's number may be
      in them.
    more: columns, see `listed`.
  """
  content, known, elsewhere = hashlib.blake2b(), [], []
  for path, picture in pictures:
    known.append(path)
    elsewhere.append(absolute(picture) if isinstance(picture, str) else '')
    if isinstance(picture, bytes):
      content.update(len(picture).to_bytes(8) + picture)
  names = _own_names(known)
  text = _csv([far or n for far, n in zip(elsewhere, names, strict=True)], more)

  def write(path: pathlib.Path) -> None:
    written = []
    for name, (_, picture) in zip(names, pictures, strict=True):
      if isinstance(picture, bytes):
        with links.named(path.parent / name):
          (path.parent / name).write_bytes(picture)
        written.append(path.parent / name)
    atomic.keep(written)
    atomic.write(path, text)

  def is_there(path: pathlib.Path) -> bool:
    return _holds(path, text.encode()) and all(
      _holds(path.parent / name, picture)
      for name, (_, picture) in zip(names, pictures, strict=True)
      if isinstance(picture, bytes)
    )

  return Written(_digest([text.encode(), content.digest()]), write, is_there)


def _own_names(paths: Sequence[str]) -> list[str]:
  """Names of files in one folder, which differ on any system."""
  names = [re.split(r'[/\\]', path)[-1] for path in paths]
  known = {name.lower() for name in names if _PLAIN.fullmatch(name)}
  if len(known - {'images.csv'}) == len(names):
    return names
  return [f'{i:0{len(str(len(names) - 1))}}' for i in range(len(names))]


def pixels(image: Any, row: int) -> np.ndarray:
  """`[H, W]` or `[H, W, 3]` uint8 of an array, or an image of Pillow.

  Raises:
    UserError: if it is none.
  """
  if mode := getattr(image, 'mode', None):
    if mode not in _MODES:
      raise UserError(
        f'The image in row {row} of X has the mode {mode}: save it as a file,'
        ' and give the paths of all images.'
      )
    image = image.convert(_MODES[mode])
  found = np.asarray(image)
  if found.ndim == 3 and found.shape[2] == 1:
    found = found[:, :, 0]
  if found.dtype != np.uint8 or found.ndim != 2 and found.shape[2:] != (3,):
    raise UserError(
      f'The image in row {row} of X is {found.dtype} {list(found.shape)}, but'
      ' must be uint8 [H, W] or [H, W, 3].'
    )
  return np.ascontiguousarray(found)


def _holds(path: pathlib.Path, data: bytes) -> bool:
  """Whether a file has just these bytes; they are not in memory twice."""
  view = memoryview(data)
  try:
    if regular_files.size(path) != len(data):
      return False
    with path.open('rb') as file:
      return all(
        file.read(_PIECE) == view[start : start + _PIECE]
        for start in range(0, len(data), _PIECE)
      )
  except OSError:
    return False


def _shows(path: pathlib.Path, picture: np.ndarray) -> bool:
  """Whether a file is that of a picture."""
  import PIL.Image  # pylint: disable=import-outside-toplevel; slow.

  try:
    data = regular_files.read(path)
    # Of other formats some run a program, as EPS does.
    with PIL.Image.open(io.BytesIO(data), formats=['PNG']) as image:
      same = np.array_equal(np.asarray(image), picture)
    return same and png.is_whole(data)
  # Pillow does not document all that it raises on a damaged file.
  except Exception:  # pylint: disable=broad-except
    return False


def _csv(paths: Sequence[str], more: Mapping[str, np.ndarray]) -> str:
  columns = [[table.text(cell) for cell in cells] for cells in more.values()]
  return csv_text(['path', *more], [*zip(paths, *columns, strict=True)])


def _digest(parts: Iterable[bytes]) -> str:
  found = hashlib.blake2b(digest_size=8)
  for part in parts:
    found.update(part)
  return found.hexdigest()
