"""Where the images of a cohort are kept, behind one small interface."""

from collections.abc import Mapping
import dataclasses
import pathlib
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from heterojax.datasets import images
from heterojax.datasets import masks
from heterojax.datasets import pixels
from heterojax.datasets.pixel_budget import PIXELS


class Inspection(NamedTuple):
  """What looking at one candidate once tells.

  Attributes:
    problem: why it cannot be used; '' if it can.
    columns: what the manifest keeps of it, `sha256` of its content among them.
    is_two_valued: whether it is a picture of two colours, as masks are.
    shown: where the pixels of an image lie in 0..255.
    note: see `pixels.Decoded`.
  """

  problem: str
  columns: tuple[tuple[str, str], ...] = ()
  is_two_valued: bool = False
  shown: pixels.Extent | None = None
  note: str = ''


class Source(Protocol):
  """What the candidates of a cohort are looked up in, by their path."""

  @property
  def name(self) -> str:
    """What messages call it: a folder or a file."""
    ...

  def exists(self, path: str) -> bool:
    """Whether there is anything to look at."""
    ...

  def inspect(self, path: str) -> Inspection:
    """Looks at one candidate; never raises for a broken one."""
    ...


@runtime_checkable
class ImageSource(Source, Protocol):
  """A source of images."""

  def read(self, path: str) -> bytes:
    """The encoded image; raises `images.UnreadableImage` with the reason."""
    ...


@runtime_checkable
class GivenFeatures(Source, Protocol):
  """A source of features that were computed elsewhere, see `ready.Vectors`."""

  @property
  def matrix(self) -> np.ndarray:
    """`[N, D]` float32; a path is the number of a row."""
    ...

  @property
  def features(self) -> tuple[str, ...]:
    """D, their names; () where they have none."""
    ...

  @property
  def predictions(self) -> np.ndarray | None:
    """`[N]` float64, NaN where none is known; None without any."""
    ...


@dataclasses.dataclass(frozen=True)
class Files:
  """Image files of a folder."""

  root: pathlib.Path

  @property
  def name(self) -> str:
    return str(self.root)

  def exists(self, path: str) -> bool:
    return images.exists(self.root / path)

  def read(self, path: str) -> bytes:
    return images.read(self.root / path)

  def inspect(self, path: str) -> Inspection:
    return inspect_image(self, path)


@dataclasses.dataclass(frozen=True)
class Unchanged:
  """Images of a source, as long as they are those that were inspected.

  Attributes:
    source: of the images.
    sha256: path to the digest of each.
  """

  source: ImageSource
  sha256: Mapping[str, str]

  @property
  def name(self) -> str:
    return self.source.name

  def exists(self, path: str) -> bool:
    return self.source.exists(path)

  def inspect(self, path: str) -> Inspection:
    return self.source.inspect(path)

  def read(self, path: str) -> bytes:
    """See `ImageSource`; what was exchanged meanwhile cannot be read either."""
    data = self.source.read(path)
    if images.digest(data) != self.sha256[path]:
      raise images.UnreadableImage('it has changed')
    return data


def content(columns: Mapping[str, str]) -> str:
  """Digest of what was inspected: of its pixels, or of what has none."""
  return columns.get('pixels_sha256') or columns['sha256']


def inspect_image(source: ImageSource, path: str) -> Inspection:
  """Looks at one image; see `inspect_data`."""
  try:
    data = source.read(path)
  except images.UnreadableImage as error:
    return Inspection(str(error))
  return inspect_data(data)


@PIXELS.picture()
def inspect_data(data: bytes, levels: images.Range = 'window') -> Inspection:
  """Decodes one image and keeps only what is known of it then.

  Args:
    data: the encoded image.
    levels: see `images.decode`.

  Returns:
    Its `width` and `height` in pixels, the `format` of its file and the
    `bit_depth` of a value in it, `minimum_value`, `mean_value` and
    `maximum_value`, the `value_range` that is shown (of DICOM), and the digests
    `sha256` of the encoded bytes and `pixels_sha256` of the decoded pixels.
  """
  try:
    image = images.examine(data, levels)
  except images.UnreadableImage as error:
    return Inspection(str(error))
  height, width, _ = image.pixels.shape
  columns = {
    'width': str(width),
    'height': str(height),
    'format': image.format,
    'bit_depth': str(image.bits),
    **{f'{k}_value': f'{v:.10g}' for k, v in image.stored._asdict().items()},
    **({'value_range': image.range} if image.range else {}),
    'sha256': images.digest(data),
    'pixels_sha256': images.pixel_digest(image.pixels),
  }
  return Inspection(
    '',
    tuple(columns.items()),
    masks.is_two_valued(image.pixels),
    image.shown,
    image.note,
  )
