"""Configurations that are shipped, and which one fits what a path holds."""

import ast
import difflib
import importlib
import io
import itertools
import pathlib
import re
import zipfile

from heterojax import addresses
from heterojax import regular_files
from heterojax.errors import UserError

_PACKAGE = 'heterojax.configs'
_TABLES = ('.csv', '.tsv', '.txt')
_FEATURES = ('.npz', '.npy', '.parquet')
_OF_IMAGES = re.compile(
  r'((image|img|file)[ _-]?(id|index|name|path|file)?|path|fname'
  r'|id[ _-]?code)s?',
  re.IGNORECASE,
)
_IMAGE = re.compile(r'.*\.(jpe?g|png|tiff?|bmp|gif|webp|dcm)', re.IGNORECASE)
# Rows and bytes of a table, by which it is told.
_ROWS, _START = 5, 1 << 20


def folder() -> pathlib.Path:
  return pathlib.Path(importlib.import_module(_PACKAGE).__path__[0])


def names() -> list[str]:
  """Names that `--config` takes without a path."""
  found = (path.stem for path in folder().glob('*.py'))
  return sorted(name for name in found if name not in ('__init__', 'common'))


def about(name: str) -> str:
  """The first line of a configuration."""
  text = (folder() / f'{name}.py').read_text(encoding='utf-8')
  return (ast.get_docstring(ast.parse(text)) or '').partition('\n')[0]


def is_one(word: str) -> bool:
  """Whether a word names a configuration, maybe with arguments."""
  name = word.partition(':')[0]
  return name.endswith('.py') or name in names()


def file(word: str) -> str:
  """The file of `NAME:arguments`, with them.

  Raises:
    UserError: if there is none.
  """
  name, colon, arguments = word.partition(':')
  if name.endswith('.py'):
    if not pathlib.Path(name).is_file():
      raise UserError(f'There is no configuration file {name}.')
    return word
  if name not in names():
    near = difflib.get_close_matches(name, names(), 1)
    raise UserError(
      f'There is no configuration {name!r}:'
      f' {f"did you mean {near[0]}? " if near else ""}--config is a file or one'
      f' of {", ".join(names())}.'
    )
  return f'{folder() / name}.py{colon}{arguments}'


def fitting(path: pathlib.Path) -> str:
  """The configuration for a folder or file of the user: folder or features.

  A table lists images where a column is called like one of images, or a cell
  names one; an .npz file, where it has MedMNIST's arrays. Of an address only
  the ending tells.
  """
  ending = path.suffix.lower()
  if addresses.is_address(str(path)):
    return 'features' if ending in _FEATURES else 'folder'
  if path.is_dir() or ending not in _TABLES + _FEATURES:
    return 'folder'
  if ending in _TABLES:
    return 'folder' if _lists_images(path) else 'features'
  return 'folder' if _is_medmnist(path) else 'features'


def _lists_images(path: pathlib.Path) -> bool:
  try:
    start = regular_files.read(path, _START).decode('utf-8', 'replace')
  except OSError:  # What reads it says what is wrong.
    start = ''
  lines = io.StringIO(start.replace('\0', ''), newline='')
  head, *others = [*itertools.islice(lines, _ROWS)] or ['']
  cells = [re.split('[,;\t|]', line) for line in (head, *others)]
  return any(
    _OF_IMAGES.fullmatch(cell.strip('" \ufeff\r\n')) for cell in cells[0]
  ) or any(
    _IMAGE.fullmatch(cell.strip('" \r\n')) for row in cells for cell in row
  )


def _is_medmnist(path: pathlib.Path) -> bool:
  try:
    regular_files.size(path)
    with zipfile.ZipFile(path) as archive:
      return 'train_images.npy' in archive.namelist()
  except Exception:  # As above; zipfile does not document all that it raises.
    return False
