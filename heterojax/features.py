"""Features: one vector per picture, computed once and kept in one file.

A picture is a file under one transform; samples that show the same picture
share its row. Rows are written block by block with a digest each, so that
memory does not grow with the data set and an interrupted run loses one block.
"""

import collections
from collections.abc import Callable, Iterator, Sequence
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from heterojax import backbones
from heterojax import forward
from heterojax import half_precision
from heterojax import run_folder
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets.sources import ImageSource
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.progress import Progress

_LOG = logging.getLogger(__name__)
FEATURES = ('flatten', 'avg')
DTYPES = ('float32', 'bfloat16')
DECODED_AHEAD = 2  # Batches, while one is used.
OUTPUT = {'flatten': 'feature_map', 'avg': 'pooled'}


class Picture(NamedTuple):
  """A file under one transform."""

  path: str
  transform: augmentation.Transform


@dataclasses.dataclass(frozen=True)
class Extraction:
  """How features are computed.

  Attributes:
    feature: 'flatten' (the whole last feature map) or 'avg' (its mean).
    image_size: side in pixels.
    resize: see `images.resize`.
    batch_size: pictures per call of the network, over all devices.
    workers: threads that decode.
    dtype: of the network's weights and activations, one of `DTYPES`; features
      are float32 either way.
  """

  feature: str
  image_size: int
  resize: images.Resize
  batch_size: int
  workers: int
  dtype: str = 'float32'


def network(
    backbone: backbones.Backbone, extraction: Extraction
) -> tuple[forward.Network, Any]:
  """(params, images) to what the chosen feature flattens, and its params."""
  output = OUTPUT[extraction.feature]
  if extraction.dtype == 'bfloat16':
    return half_precision.network(backbone, output)
  apply = functools.partial(backbones.apply, backbone.graphdef, output)
  return apply, backbone.params


def batch_shape(extraction: Extraction, pictures: int) -> tuple[int, ...]:
  """`[B, S, S, 3]` of a number of pictures: a larger batch would be padding."""
  devices = len(jax.local_devices())
  most = -(-pictures // devices) * devices
  side = extraction.image_size
  return min(extraction.batch_size, most), side, side, 3


def dim(backbone: backbones.Backbone, extraction: Extraction) -> int:
  """Length of one feature vector, D."""
  side = extraction.image_size
  image = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
  out = jax.eval_shape(*network(backbone, extraction), image)
  return int(np.prod(out.shape))


def extract(
    backbone: backbones.Backbone,
    source: ImageSource,
    pictures: Sequence[Picture],
    folder: pathlib.Path,
    extraction: Extraction,
    *,
    fingerprint: Any,
    environment: dict[str, Any],
    allow_mismatch: bool = False,
) -> tuple[np.ndarray, int]:
  """Computes the features that `folder` does not hold yet.

  Args:
    backbone: the network.
    source: of the images.
    pictures: all P of them, without repeats.
    folder: for `features.npy` and `blocks.json`.
    extraction: how.
    fingerprint: anything that, when changed, makes stored features invalid.
    environment: versions and devices; resuming under another one is refused.
    allow_mismatch: resume under another environment all the same.

  Returns:
    Features `[P, D]` float32, mapped from the file and read-only, and the
    number of rows that were computed now.

  Raises:
    RefusedError: see `environment`.
    UserError: if a picture cannot be read any more.
  """
  folder.mkdir(parents=True, exist_ok=True)
  shape = batch_shape(extraction, len(pictures))
  extraction = dataclasses.replace(extraction, batch_size=shape[0])
  store = _Store(
      folder,
      (len(pictures), dim(backbone, extraction)),
      extraction.batch_size,
      fingerprint,
      environment,
  )
  store.open(allow_mismatch)
  missing = store.missing()
  done = len(pictures) - sum(b.stop - b.start for b in missing)
  if missing:
    with (
        forward.batches(*network(backbone, extraction), shape) as run,
        Progress('features', len(pictures), 'images', done) as progress,
        contextlib.closing(
            decoded(source, pictures, missing, extraction)
        ) as batches,
    ):
      # Batches are in the devices' hands while one before them is written.
      begun: collections.deque[tuple[slice, Callable[[], np.ndarray]]]
      begun = collections.deque()

      def finish() -> None:
        block, wait = begun.popleft()
        store.write(block, wait())
        progress.update(block.stop - block.start)

      try:
        for block, batch in batches:
          begun.append((block, run(batch, block.stop - block.start)))
          if len(begun) > forward.ahead(extraction.batch_size):
            finish()
      finally:
        # After a failure too: what was begun is kept.
        while begun:
          finish()
  return store.read(), len(pictures) - done


def load_picture(
    source: ImageSource, picture: Picture, extraction: Extraction
) -> np.ndarray:
  """Decodes, resizes and transforms one picture to `[S, S, 3]` float32."""
  image = images.decode(source.read(picture.path))
  image = images.resize(image, extraction.image_size, extraction.resize)
  return augmentation.apply(image, picture.transform)


def decoded(
    source: ImageSource,
    pictures: Sequence[Picture],
    blocks: Sequence[slice],
    extraction: Extraction,
) -> Iterator[tuple[slice, np.ndarray]]:
  """Batches in order, decoded by threads ahead of their use.

  Args:
    source: of the images.
    pictures: in any order, with repeats or without.
    blocks: which of them make each batch, at most `extraction.batch_size`.
    extraction: size, resize and workers.

  Yields:
    A block and its images `[B, S, S, 3]` float32, B always the batch size:
    black images fill up what a block lacks.

  Raises:
    UserError: if a picture cannot be read any more.
  """
  size, batch_size = extraction.image_size, extraction.batch_size

  def load(picture: Picture) -> np.ndarray:
    try:
      return load_picture(source, picture, extraction)
    except images.UnreadableImage as error:
      raise UserError(
          f'{picture.path} of {source.name} was readable when the study began and'
          f' is not any more ({error}): put it back and give the same command.'
      ) from error

  with concurrent.futures.ThreadPoolExecutor(extraction.workers) as pool:
    ahead: list[tuple[slice, list[concurrent.futures.Future]]] = []
    rest = iter(blocks)

    def submit() -> None:
      block = next(rest, None)
      if block is not None:
        futures = [pool.submit(load, p) for p in pictures[block]]
        ahead.append((block, futures))

    try:
      for _ in range(1 + DECODED_AHEAD):
        submit()
      while ahead:
        block, futures = ahead.pop(0)
        batch = np.zeros((batch_size, size, size, 3), np.float32)
        for row, future in enumerate(futures):
          batch[row] = future.result()
        submit()
        yield block, batch
    finally:
      pool.shutdown(wait=False, cancel_futures=True)


class _Store:
  """`features.npy` and the digests of its blocks of rows."""

  def __init__(
      self,
      folder: pathlib.Path,
      shape: tuple[int, int],
      block_size: int,
      fingerprint: Any,
      environment: dict[str, Any],
  ):
    self._array = folder / 'features.npy'
    self._index = folder / 'blocks.json'
    self._shape = shape
    self._blocks = [
        slice(start, min(start + block_size, shape[0]))
        for start in range(0, shape[0], block_size)
    ]
    self._header = {
        'shape': list(shape),
        'block_size': block_size,
        'fingerprint': run_folder.digest(fingerprint),
    }
    self._environment = environment
    self._digests: dict[str, str] = {}

  def open(self, allow_mismatch: bool) -> None:
    """Finds what an earlier run finished, or starts anew."""
    stored = {}
    if self._index.exists() and self._array.exists():
      try:
        stored = dict(json.loads(self._index.read_text()))
        array = np.lib.format.open_memmap(self._array, 'r')
        if (array.shape, array.dtype) != (self._shape, np.float32):
          stored = {}
      except (TypeError, ValueError):
        _LOG.warning('%s is damaged: features are computed anew.', self._array)
        stored = {}
    if {k: stored.get(k) for k in self._header} == self._header:
      if stored['environment'] != self._environment and not allow_mismatch:
        raise RefusedError(
            f'{self._array} was begun in another environment'
            f' ({stored["environment"]}, now {self._environment}): go on there,'
            ' choose another --workdir, or allow it with --allow_mismatch.'
        )
      self._digests = stored['digests']
      return
    np.lib.format.open_memmap(self._array, 'w+', np.float32, self._shape)
    self._save_index()

  def missing(self) -> list[slice]:
    """Blocks that are not there, or not as they were written."""
    if not self._digests:
      return self._blocks
    array = np.load(self._array, mmap_mode='r')
    missing = []
    for block in self._blocks:
      known = self._digests.get(str(block.start))
      if known != _digest(array[block]):
        missing.append(block)
        if known:
          _LOG.warning(
              'Rows %d to %d of %s are damaged: computed anew.',
              block.start,
              block.stop,
              self._array,
          )
    done = self._shape[0] - sum(b.stop - b.start for b in missing)
    _LOG.info('Resuming: %d of %d features are there.', done, self._shape[0])
    return missing

  def write(self, block: slice, values: np.ndarray) -> None:
    rows = values.reshape(len(values), -1)
    start = np.lib.format.open_memmap(self._array, 'r').offset
    start += block.start * rows[0].nbytes
    try:
      # Not through the map: a full disk would end the process without a word.
      # No flush: should the machine die before the system writes the rows,
      # their digest tells, and they are computed anew.
      with self._array.open('r+b') as file:
        file.seek(start)
        file.write(rows.tobytes())
      self._digests[str(block.start)] = _digest(rows)
      self._save_index()
    except OSError as error:
      raise UserError(
          f'{self._array} cannot be written ({error.strerror}): mend that and'
          ' give the same command, which goes on from here.'
      ) from error

  def read(self) -> np.ndarray:
    return np.load(self._array, mmap_mode='r')

  def _save_index(self) -> None:
    index = {
        **self._header,
        'environment': self._environment,
        'digests': self._digests,
    }
    run_folder.write_atomically(self._index, run_folder.to_json(index))


def _digest(rows: np.ndarray) -> str:
  data = np.ascontiguousarray(rows)
  return hashlib.blake2b(data, digest_size=16).hexdigest()
