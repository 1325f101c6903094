"""Features: one vector per picture, computed once and kept in one file.

A picture is a file under one transform; samples that show the same picture
share its row. Rows are written block by block with a digest each, so that
memory does not grow with the data set and an interrupted run loses one block.
"""

import collections
from collections.abc import Callable, Generator, Sequence
import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import math
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import numpy as np

from heterojax import backbones
from heterojax.backbones import half_precision
from heterojax.compute import forward
from heterojax.compute.arrays import bytes_of
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets.pixel_budget import PIXELS
from heterojax.datasets.sources import ImageSource
from heterojax.errors import UserError
from heterojax.run import links
from heterojax.run import run_folder
from heterojax.run.progress import Progress

_LOG = logging.getLogger(__name__)
FEATURES = ('flatten', 'avg')
PRECISIONS = ('highest', 'default')
DTYPES = ('float32', 'bfloat16')
DECODED_AHEAD = 2  # Batches, while one is used.
_PARTS_PER_WORKER = 2  # Of a batch.
OUTPUT = {'flatten': 'feature_map', 'avg': 'pooled'}


class Picture(NamedTuple):
  """A file under one transform."""

  path: str
  transform: augmentation.Transform


class Features(NamedTuple):
  """One vector per picture.

  Attributes:
    x: `[P, D]` float32.
    computed: how many were computed now.
    digest: of all of them.
  """

  x: np.ndarray
  computed: int
  digest: str


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
    levels: see `images.decode`.
    precision: of float32 products, one of `PRECISIONS`: accelerators round
      their factors by 'default'.
  """

  feature: str
  image_size: int
  resize: images.Resize
  batch_size: int
  workers: int
  dtype: str = 'float32'
  levels: images.Range = 'window'
  precision: str = 'highest'


def network(
  backbone: backbones.Backbone, extraction: Extraction
) -> tuple[forward.Network, Any]:
  """(params, images) to what the chosen feature flattens, and its params."""
  output = OUTPUT[extraction.feature]
  if extraction.dtype == 'bfloat16':
    return half_precision.network(backbone, output)
  applied = _applied(backbone.graphdef, output, extraction.precision)
  return applied, backbone.params


@functools.lru_cache(maxsize=8)
def _applied(
  graphdef: nnx.GraphDef, output: str, precision: str
) -> forward.Network:
  """One object for equal arguments, of which JAX knows what it traced."""
  return functools.partial(_apply, graphdef, output, precision)


def _apply(
  graphdef: nnx.GraphDef,
  output: str,
  precision: str,
  params: Any,
  images: jax.Array,
) -> jax.Array:
  # It holds for what is traced in here, whatever that of the analysis is.
  with jax.default_matmul_precision(precision):
    return backbones.apply(graphdef, output, params, images)


def batch_shape(extraction: Extraction, pictures: int) -> tuple[int, ...]:
  """`[B, S, S, 3]` of a number of pictures: a larger batch would be padding."""
  devices = len(jax.local_devices())
  most = -(-pictures // devices) * devices
  side = extraction.image_size
  return min(extraction.batch_size, most), side, side, 3


def dim(backbone: backbones.Backbone, extraction: Extraction) -> int:
  """Length of one feature vector, D."""
  # Of the images that the program takes, which is then traced already.
  shape = batch_shape(extraction, extraction.batch_size)
  images = forward.images_of_call(shape)
  out = jax.eval_shape(*network(backbone, extraction), images)
  return int(np.prod(out.shape[1:]))


def extract(
  backbone: backbones.Backbone,
  source: ImageSource,
  pictures: Sequence[Picture],
  folder: pathlib.Path,
  extraction: Extraction,
  *,
  fingerprint: Any,
  compiled_for: int = 0,
) -> Features:
  """Computes the features that `folder` does not hold yet.

  Args:
    backbone: the network.
    source: of the images.
    pictures: all P of them, without repeats.
    folder: for `features.npy` and `blocks.jsonl`.
    extraction: how.
    fingerprint: anything that, when changed, makes stored features invalid.
    compiled_for: as many pictures as those of another call, whose program runs
      these; without it, that of their own number.

  Returns:
    The features, mapped from the file and read-only.

  Raises:
    UserError: if a picture cannot be read any more.
  """
  folder.mkdir(parents=True, exist_ok=True)
  shape = batch_shape(extraction, compiled_for or len(pictures))
  extraction = dataclasses.replace(extraction, batch_size=shape[0])
  store = _Store(
    folder,
    (len(pictures), dim(backbone, extraction)),
    extraction.batch_size,
    fingerprint,
  )
  store.open()
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
  return Features(store.close(), len(pictures) - done, store.digest())


def load_picture(
  source: ImageSource, picture: Picture, extraction: Extraction
) -> np.ndarray:
  """Decodes, resizes and transforms one picture to `[S, S, 3]` float32."""
  data = source.read(picture.path)
  with PIXELS.picture():
    image = images.decode(data, extraction.levels)
    image = images.resize(image, extraction.image_size, extraction.resize)
  return augmentation.apply(image, picture.transform)


def decoded(
  source: ImageSource,
  pictures: Sequence[Picture],
  blocks: Sequence[slice],
  extraction: Extraction,
) -> Generator[tuple[slice, np.ndarray], None, None]:
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

  def load(rows: np.ndarray, chosen: Sequence[Picture]) -> None:
    # The last block may have fewer pictures than rows.
    for row, picture in zip(rows, chosen, strict=False):
      try:
        row[...] = load_picture(source, picture, extraction)
      except images.UnreadableImage as error:
        raise UserError(
          f'{picture.path} of {source.name} is not what it was when the study'
          f' began ({error}): put it back and give the same command.'
        ) from error

  # Handing over picture by picture takes a fifth of the time of small ones.
  part = -(-batch_size // (_PARTS_PER_WORKER * extraction.workers))

  with concurrent.futures.ThreadPoolExecutor(extraction.workers) as pool:
    ahead: list[tuple[slice, np.ndarray, list[concurrent.futures.Future]]] = []
    rest = iter(blocks)

    def submit() -> None:
      block = next(rest, None)
      if block is not None:
        batch = np.zeros((batch_size, size, size, 3), np.float32)
        chosen = pictures[block]
        futures = [
          pool.submit(load, batch[i : i + part], chosen[i : i + part])
          for i in range(0, len(chosen), part)
        ]
        ahead.append((block, batch, futures))

    try:
      for _ in range(1 + DECODED_AHEAD):
        submit()
      while ahead:
        block, batch, futures = ahead.pop(0)
        for future in futures:
          future.result()
        submit()
        yield block, batch
    finally:
      pool.shutdown(wait=False, cancel_futures=True)


class _Store:
  """`features.npy`, and `blocks.jsonl` with the digests of its blocks of rows.

  The index grows by a line per block, so that writing it takes a time that is
  linear in the number of images.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    shape: tuple[int, int],
    block_size: int,
    fingerprint: Any,
  ):
    self._array = folder / 'features.npy'
    self._index = folder / 'blocks.jsonl'
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
    self._digests: dict[int, str] = {}

  def open(self) -> None:
    """Finds what an earlier run finished, or starts anew."""
    header, *lines = self._stored() or [None]
    if header == self._header and self._fits():
      starts = {block.start for block in self._blocks}
      for line in lines:
        match line:
          case {'start': int(start), 'digest': str(digest)} if start in starts:
            self._digests[start] = digest
    else:
      if self._index.exists():
        _LOG.warning(
          'Images, weights or settings are not those that %s was begun with:'
          ' features are computed anew.',
          self._array,
        )
      self._begin()
    self._save_index()

  def _begin(self) -> None:
    """An array without rows, in a file of its own."""
    self._array.unlink(missing_ok=True)
    with self._writing(), links.opened(self._array, 'xb') as file:
      np.lib.format.write_array_header_1_0(
        file, {'descr': '<f4', 'fortran_order': False, 'shape': self._shape}
      )
      file.truncate(file.tell() + 4 * math.prod(self._shape))

  def _stored(self) -> list[Any]:
    """The lines of the index; what cannot be read is None."""
    if not self._index.exists():
      return []
    lines: list[Any] = []
    for text in self._index.read_bytes().splitlines():
      try:
        lines.append(json.loads(text))
      except ValueError:  # The last one, of a run that was killed, or damaged.
        lines.append(None)
    return lines

  def _fits(self) -> bool:
    try:
      array = np.lib.format.open_memmap(self._array, 'r')
    except (OSError, ValueError):
      _LOG.warning('%s is damaged: features are computed anew.', self._array)
      return False
    return (array.shape, array.dtype) == (self._shape, np.float32)

  def missing(self) -> list[slice]:
    """Blocks that are not there, or not as they were written."""
    if not self._digests:
      return self._blocks
    array = np.load(self._array, mmap_mode='r')
    missing = []
    for block in self._blocks:
      known = self._digests.get(block.start)
      if known != _digest(array[block]):
        missing.append(block)
        if self._digests.pop(block.start, None):
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
    rows = np.ascontiguousarray(values.reshape(len(values), -1))
    start = np.lib.format.open_memmap(self._array, 'r').offset
    start += block.start * rows[0].nbytes
    with self._writing():
      # Not through the map: a full disk would end the process without a word.
      # No flush: should the machine die before the system writes the rows,
      # their digest tells, and they are computed anew.
      with links.opened(self._array, 'r+b') as file:
        file.seek(start)
        file.write(bytes_of(rows))
      self._digests[block.start] = _digest(rows)
      with links.opened(self._index, 'a', encoding='utf-8') as file:
        file.write(_line(block.start, self._digests[block.start]))

  @contextlib.contextmanager
  def _writing(self) -> Generator[None, None, None]:
    try:
      yield
    except OSError as error:
      raise UserError(
        f'{self._array} cannot be written ({error.strerror}): mend that and'
        ' give the same command, which goes on from here.'
      ) from error

  def close(self) -> np.ndarray:
    """The whole array; the index of a run that was resumed is put in order."""
    self._save_index()
    return np.load(self._array, mmap_mode='r')

  def digest(self) -> str:
    """Digest of all rows."""
    return run_folder.digest([self._header, sorted(self._digests.items())])

  def _save_index(self) -> None:
    lines = [json.dumps(self._header) + '\n']
    lines += [_line(*known) for known in sorted(self._digests.items())]
    text = ''.join(lines)
    # What is finished stays as it is.
    if not self._index.exists() or self._index.read_bytes() != text.encode():
      run_folder.write_atomically(self._index, text)


def _line(start: int, digest: str) -> str:
  return json.dumps({'start': start, 'digest': digest}) + '\n'


def _digest(rows: np.ndarray) -> str:
  return hashlib.blake2b(bytes_of(rows), digest_size=16).hexdigest()
