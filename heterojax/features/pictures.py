"""Pictures on the host: files under a transform, decoded by threads."""

from collections.abc import Generator, Sequence
import concurrent.futures
import dataclasses
from typing import NamedTuple

import numpy as np

from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets.pixel_budget import PIXELS
from heterojax.datasets.sources import ImageSource
from heterojax.errors import UserError

DECODED_AHEAD = 2  # Batches, while one is used.
_PARTS_PER_WORKER = 2  # Of a batch.


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


def load_picture(
  source: ImageSource, picture: Picture, extraction: Extraction
) -> np.ndarray:
  """Decodes, resizes and transforms one picture.

  Args:
    source: of the image.
    picture: of it.
    extraction: size and resize.

  Returns:
    `[S, S, 3]` float32; uint8 where the file holds just these values.

  Raises:
    images.UnreadableImage: with the reason.
  """
  data, size = source.read(picture.path), extraction.image_size
  # Twice as many pixels as are needed, as in `PIL.Image.Image.thumbnail`.
  at_least = 2 * size if extraction.resize == 'reduced' else 0
  with PIXELS.picture():
    image = images.decode(data, extraction.levels, at_least)
    if image.shape[:2] != (size, size) or image.dtype != np.uint8:
      image = images.resize(image, size, extraction.resize)
  if picture.transform.degrees:
    image = image.astype(np.float32, copy=False)
  return augmentation.apply(image, picture.transform)


class _Batch(NamedTuple):
  """Room for the pictures of a block, whichever kind each of them is.

  The system gives memory only to what is written, so that the other kind costs
  nothing.

  Attributes:
    block: its rows.
    floats: `[B, S, S, 3]` float32.
    whole: the same, uint8; empty where all are to be numbers.
    in_bytes: `[B]`, which rows are there.
    futures: of its parts.
  """

  block: slice
  floats: np.ndarray
  whole: np.ndarray
  in_bytes: np.ndarray
  futures: list[concurrent.futures.Future]

  def images(self) -> np.ndarray:
    """`[B, S, S, 3]`, in bytes where all of them are."""
    for future in self.futures:
      future.result()
    count = self.block.stop - self.block.start
    if self.in_bytes[:count].all():
      return self.whole
    for row in np.flatnonzero(self.in_bytes):
      self.floats[row] = self.whole[row]
    return self.floats


def decoded(
  source: ImageSource,
  pictures: Sequence[Picture],
  blocks: Sequence[slice],
  extraction: Extraction,
  *,
  as_bytes: bool = False,
) -> Generator[tuple[slice, np.ndarray], None, None]:
  """Batches in order, decoded by threads ahead of their use.

  Args:
    source: of the images.
    pictures: in any order, with repeats or without.
    blocks: which of them make each batch, at most `extraction.batch_size`.
    extraction: size, resize and workers.
    as_bytes: whether a batch may be uint8, where that loses nothing.

  Yields:
    A block and its images `[B, S, S, 3]` float32 or uint8, B always the batch
    size: black images fill up what a block lacks.

  Raises:
    UserError: if a picture cannot be read any more.
  """
  size, batch_size = extraction.image_size, extraction.batch_size

  def load(batch: _Batch, start: int, chosen: Sequence[Picture]) -> None:
    for row, picture in enumerate(chosen, start):
      try:
        image = load_picture(source, picture, extraction)
      except images.UnreadableImage as error:
        raise UserError(
          f'{picture.path} of {source.name} is not what it was when the study'
          f' began ({error}): put it back and give the same command.'
        ) from error
      batch.in_bytes[row] = as_bytes and image.dtype == np.uint8
      (batch.whole if batch.in_bytes[row] else batch.floats)[row] = image

  # Handing over picture by picture takes a fifth of the time of small ones.
  part = -(-batch_size // (_PARTS_PER_WORKER * extraction.workers))

  with concurrent.futures.ThreadPoolExecutor(extraction.workers) as pool:
    ahead: list[_Batch] = []
    rest = iter(blocks)

    def submit() -> None:
      block = next(rest, None)
      if block is not None:
        shape = batch_size, size, size, 3
        batch = _Batch(
          block,
          np.zeros(shape, np.float32),
          np.zeros(shape if as_bytes else 0, np.uint8),
          np.zeros(batch_size, bool),
          [],
        )
        chosen = pictures[block]
        batch.futures.extend(
          pool.submit(load, batch, i, chosen[i : i + part])
          for i in range(0, len(chosen), part)
        )
        ahead.append(batch)

    try:
      for _ in range(1 + DECODED_AHEAD):
        submit()
      while ahead:
        batch = ahead.pop(0)
        found = batch.images()
        submit()
        yield batch.block, found
    finally:
      pool.shutdown(wait=False, cancel_futures=True)
