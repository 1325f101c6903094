"""Where the published ImageNet weights are, and how they get here."""

import functools
import hashlib
import importlib.util
import os
import pathlib
import shutil
import tempfile
from typing import NamedTuple
import urllib.error
import urllib.request

from heterojax.compute import cache
from heterojax.errors import UserError

KERAS = 'https://storage.googleapis.com'


class Published(NamedTuple):
  """A file to download.

  Attributes:
    url: where it is.
    algorithm: 'md5' or 'sha256'.
    digest: hexadecimal digits; of PyTorch's files the first eight of them,
      which are in their names.
    source: whose weights they are.
  """

  url: str
  algorithm: str
  digest: str
  source: str


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
  name: str, published: Published | Packaged | None, *, download: bool
) -> tuple[pathlib.Path, str]:
  """Finds the published weights of a backbone.

  Args:
    name: the architecture, for messages.
    published: its file; None where there is none.
    download: whether a missing file may be fetched.

  Returns:
    The file and its source.

  Raises:
    UserError: if the file is not here, or is another one.
  """
  if published is None:
    raise UserError(
      f'There are no published ImageNet weights of {name}: name a file with'
      ' --config.backbone.weights=PATH.'
    )
  if isinstance(published, Packaged):
    return _in_package(name, published), published.source
  path = cache.folder() / published.url.rpartition('/')[2]
  if not path.exists():
    if not download:
      raise UserError(
        f'The ImageNet weights of {name} are not on this machine: add'
        f' --download to fetch {published.url}, or put that file at {path},'
        ' or name another one with --config.backbone.weights=PATH.'
      )
    _fetch(published, path)
    return path, published.source
  got = _hash(path, published.algorithm)
  if not got.startswith(published.digest):
    raise UserError(
      f'{path} is not the published {path.name} (its {published.algorithm} is'
      f' {got}, not {published.digest}): delete it and run with --download.'
    )
  return path, published.source


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


def md5(path: pathlib.Path) -> str:
  """By which Keras names its published files, as hexadecimal digits."""
  return _hash(path, 'md5')


def _hash(path: pathlib.Path, algorithm: str) -> str:
  with path.open('rb') as file:
    new = functools.partial(hashlib.new, algorithm, usedforsecurity=False)
    return hashlib.file_digest(file, new).hexdigest()


def _fetch(published: Published, path: pathlib.Path) -> None:
  """Downloads beside the target and renames, so that no half file stays."""
  path.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=path.parent) as folder:
    part = pathlib.Path(folder) / path.name
    try:
      with urllib.request.urlopen(published.url, timeout=60) as response:
        with part.open('wb') as file:
          shutil.copyfileobj(response, file)
    except (urllib.error.URLError, OSError) as error:
      raise UserError(
        f'{published.url} could not be fetched ({error}): put the file at'
        f' {path} by hand.'
      ) from error
    got = _hash(part, published.algorithm)
    if not got.startswith(published.digest):
      raise UserError(
        f'{published.url} sent a file with {published.algorithm} {got}'
        f' instead of {published.digest}: nothing was kept.'
      )
    os.replace(part, path)
