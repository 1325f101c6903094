"""What a study is fitted to, as a file that one of the readers reads.

Data in memory are written once, under a name that their content gives: the
same data resume a run, and other data never come into it.
"""

from collections.abc import Iterator
import contextlib
import dataclasses
import glob
import logging
import os
import pathlib
import shutil
from typing import Any

import numpy as np

from heterojax import addresses
from heterojax.api import files
from heterojax.api import hugging_face
from heterojax.api import table
from heterojax.cli import configurations
from heterojax.errors import UserError
from heterojax.run import contents
from heterojax.run import links
from heterojax.run import locks
from heterojax.run import run_folder

_LOG = logging.getLogger(__name__)
_PATH = (str, os.PathLike)


@dataclasses.dataclass(frozen=True)
class Inputs:
  """Data of a study.

  Attributes:
    configuration: that they are of: folder or features.
    field: of the configuration that names them: data.dir or data.files.
    path: of the user's own folder or files; '' where they are in memory.
    name: of the file that is written.
    columns: see `data.columns`.
    written: what that is, and how.
  """

  configuration: str
  field: str = 'data.dir'
  path: str = ''
  name: str = ''
  columns: str = ''
  written: files.Written | None = None

  def within(self, folder: pathlib.Path) -> str:
    """The path that is read, where the run is in a folder."""
    if self.written is None:
      return self.path
    file = folder / contents.INPUT / self.written.digest / self.name
    return str(file.absolute())


def of(
  X: Any, y: Any = None, groups: Any = None, metadata: Any = None
) -> Inputs:
  """The data, by what they are.

  Args:
    X: path of a folder or table, or a pattern of files of features; a table or
      `[N, D]` of features; N paths of images; N images, as `[N, H, W]` or
      `[N, H, W, 3]`; a data set of Hugging Face.
    y: `[N]` labels, or the name of their column in a table.
    groups: `[N]` patients, or the name of their column.
    metadata: further columns, as a table.

  Raises:
    UserError: if they are none of this, or not of one length.
  """
  if isinstance(X, _PATH):
    if not (y is None and groups is None and metadata is None):
      raise UserError(
        f'X is the path {os.fspath(X)}, whose labels, groups and columns are'
        ' those of the folder or table: leave y, groups and metadata out.'
      )
    return _of_path(os.fspath(X))
  if hugging_face.is_dataset(X):
    return _of_dataset(X, y, groups, metadata)
  if table.is_table(X):
    X, y, groups = _taken(X, y, groups)
    data: Any = table.matrix(X)
  elif _are_images(X):
    data = list(X)
  else:
    data = _array(X)
  more = _columns(len(data), y, groups, metadata)
  if isinstance(data, list) or data.ndim in (3, 4):
    pixels = [files.pixels(image, i) for i, image in enumerate(data)]
    return _written('images.csv', files.images(pixels, more), more)
  if data.dtype.kind in 'OU' and data.ndim == 1:
    paths = [files.absolute(os.path.expanduser(path)) for path in data]
    return _written('images.csv', files.listed(paths, more), more)
  if data.ndim != 2 or data.dtype.kind not in 'fiub':
    raise UserError(
      f'X is {data.dtype} {list(data.shape)}, but must be features [N, D],'
      ' images [N, H, W] or [N, H, W, 3], or paths of images.'
    )
  return _written('features.npz', files.features(data, more), more)


def were_in_memory(path: str) -> bool:
  """Whether a path is that of data which a study was given in memory."""
  return pathlib.Path(path).parent.parent.name == contents.INPUT


@contextlib.contextmanager
def kept(inputs: Inputs, folder: pathlib.Path) -> Iterator[None]:
  """Data in memory are there while a run reads them, and afterwards.

  What an earlier start left is compared with them: a damaged label would be
  another one. Where the run never began nothing is left behind.

  Raises:
    UserError: if they cannot be written.
  """
  if inputs.written is None:
    yield
    return
  file = pathlib.Path(inputs.within(folder))
  if folder.exists():
    links.refuse(folder)
    locks.refuse_others(folder / contents.LOCK)
  if file.exists():
    if inputs.written.is_there(file):
      yield
      return
    _LOG.warning('%s is damaged: the data are written anew.', file.parent)
  missing = [p for p in (folder, *folder.parents) if not p.exists()]
  try:
    file.parent.mkdir(parents=True, exist_ok=True)
    inputs.written.write(file)
  except OSError as error:
    raise UserError(
      f'{folder} cannot be the run folder ({error.strerror}): choose another'
      ' workdir.'
    ) from error
  try:
    yield
  except BaseException:
    # Another process may have been given the same, and be reading them.
    with contextlib.suppress(OSError, UserError):
      lock = folder / contents.LOCK
      # Of a run, or of a start that the next one goes on from.
      is_needed = lock.exists()
      with locks.exclusive(lock):
        if not _is_of(folder, inputs):
          shutil.rmtree(file.parent, ignore_errors=True)
          if not is_needed:
            lock.unlink()
          for above in (file.parent.parent, *missing):
            above.rmdir()  # As far as nothing is in them.
    raise


def _is_of(folder: pathlib.Path, inputs: Inputs) -> bool:
  """Whether the run in a folder has begun, and reads these data."""
  try:
    config = run_folder.read_json(folder / 'config.json')
    return bool(config['data']['dir'] == inputs.within(folder))
  except (OSError, ValueError, LookupError, TypeError):
    return False


def _of_path(path: str) -> Inputs:
  if addresses.stored(path):
    return Inputs(configurations.fitting(pathlib.Path(path)), path=path)
  path = os.path.expanduser(path)
  if not os.path.exists(path) and glob.has_magic(path):
    return Inputs('features', 'data.files', path)
  if not os.path.exists(path):
    raise UserError(
      f'{path} does not exist: X must be a folder or file of this machine, or'
      ' data.'
    )
  return Inputs(configurations.fitting(pathlib.Path(path)), path=path)


def _of_dataset(X: Any, y: Any, groups: Any, metadata: Any) -> Inputs:
  data, y, groups, rest = hugging_face.parts(X, y, groups)
  more = _columns(len(data), y, groups, rest | _metadata(metadata))
  if isinstance(data, np.ndarray):
    return _written('features.npz', files.features(data, more), more)
  return _written('images.csv', files.encoded(data, more), more)


def _taken(X: Any, y: Any, groups: Any) -> tuple[dict[str, Any], Any, Any]:
  """The features of a table, and columns of it that were named."""
  found = table.columns(X)
  given = {'y': y, 'groups': groups}
  for argument, name in given.items():
    if not isinstance(name, str):
      continue
    if name not in found:
      raise UserError(
        f'{argument} is {name!r}, but X has no such column: it has'
        f' {", ".join(found)}.'
      )
    given[argument] = found[name]
  named = {name for name in (y, groups) if isinstance(name, str)}
  rest = {name: found[name] for name in found if name not in named}
  return rest, given['y'], given['groups']


def _are_images(X: Any) -> bool:
  """Whether it is a list of pictures, which may differ in size."""
  if not isinstance(X, (list, tuple)) or not X or isinstance(X[0], _PATH):
    return False
  return hasattr(X[0], 'convert') or np.ndim(X[0]) in (2, 3)


def _array(X: Any) -> np.ndarray:
  try:
    array = np.asarray(X)
  except ValueError as error:
    raise UserError(f'X cannot be an array ({error}).') from error
  if array.dtype.kind != 'O':
    return array
  if array.ndim == 1 and all(isinstance(path, _PATH) for path in array):
    return np.array([os.fspath(path) for path in array], str)
  try:
    return array.astype(float)
  except (TypeError, ValueError) as error:
    raise UserError(f'X holds what is no number ({error}).') from error


def _columns(
  n: int, y: Any, groups: Any, metadata: Any
) -> dict[str, np.ndarray]:
  """The columns beside the features or images, by their names in a file."""
  if y is None:
    raise UserError('y is missing: give a label for each row of X.')
  given = {'label': ('y', y)}
  if groups is not None:
    given['group'] = ('groups', groups)
  for name, values in _metadata(metadata).items():
    if name in (*given, *files.RESERVED):
      raise UserError(
        f'metadata has the column {name!r}, which y, groups or X is: give it'
        ' another name.'
      )
    given[name] = (f'The column {name!r} of metadata', values)
  found = {}
  for name, (argument, values) in given.items():
    found[name] = table.cells(argument, values)
    if len(found[name]) != n:
      raise UserError(
        f'{argument} has {len(found[name])} values, but X has {n} rows.'
      )
  return found


def _metadata(given: Any) -> dict[str, Any]:
  if given is None:
    return {}
  if not table.is_table(given):
    raise UserError('metadata must be a table, or a dictionary of columns.')
  return table.columns(given)


def _written(
  name: str, how: files.Written, more: dict[str, np.ndarray]
) -> Inputs:
  meanings = [m for m in ('path', 'label', 'group') if m in more]
  if name == 'images.csv':
    meanings = ['path', *meanings]
  return Inputs(
    'features' if name == 'features.npz' else 'folder',
    name=name,
    columns=','.join(f'{m}:{m}' for m in meanings),
    written=how,
  )
