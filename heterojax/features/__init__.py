"""Features: one vector per picture, computed once and kept in one file.

A picture is a file under one transform; samples that show the same picture
share its row. Rows are written block by block with a digest each, so that
memory does not grow with the data set and an interrupted run loses one block.
"""

import collections
from collections.abc import Callable, Sequence
import contextlib
import dataclasses
import functools
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import numpy as np

from heterojax import backbones
from heterojax.backbones import exported
from heterojax.backbones import half_precision
from heterojax.compute import forward
from heterojax.datasets.sources import ImageSource
from heterojax.features import exchange
from heterojax.features.pictures import DECODED_AHEAD
from heterojax.features.pictures import Extraction
from heterojax.features.pictures import Picture
from heterojax.features.pictures import decoded
from heterojax.features.pictures import load_picture
from heterojax.features.store import Store
from heterojax.features.store import header_of
from heterojax.run import run_folder
from heterojax.run.progress import Progress

__all__ = ['DECODED_AHEAD', 'Extraction', 'Picture', 'decoded', 'load_picture']
FEATURES = ('flatten', 'avg')
DTYPES = ('float32', 'bfloat16')
PRECISIONS = ('highest', 'default')
# Takes a block and its rows `[n, D]`.
Keep = Callable[[slice, np.ndarray], None]
OUTPUT = {'flatten': 'feature_map', 'avg': 'pooled'}


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


@dataclasses.dataclass(frozen=True)
class Plan:
  """Which features there are to be: all that they depend on.

  Attributes:
    backbone: the network.
    source: of the images.
    pictures: all P of them, without repeats.
    extraction: how.
    fingerprint: anything that, when changed, makes stored features invalid.
    compiled_for: as many pictures as those of another plan, whose program runs
      these; without it, that of their own number.
  """

  backbone: backbones.Backbone
  source: ImageSource
  pictures: tuple[Picture, ...]
  extraction: Extraction
  fingerprint: Any
  compiled_for: int = 0

  @property
  def batch(self) -> tuple[int, ...]:
    """`[B, S, S, 3]`, of a call of the network; B is also that of a block."""
    return batch_shape(self.extraction, self.compiled_for or len(self.pictures))

  @functools.cached_property
  def header(self) -> dict[str, Any]:
    """What tells these features from others, see `store.header_of`."""
    shape = len(self.pictures), dim(self.backbone, self.extraction)
    return header_of(shape, self.batch[0], self.fingerprint)

  @property
  def digest(self) -> str:
    """Fingerprint of all that the features depend on."""
    return run_folder.digest(self.header)

  def store(self, folder: pathlib.Path) -> Store:
    """Where the features are kept; nothing is read or written yet."""
    return Store(folder, self.header)


def extract(
  plan: Plan, folder: pathlib.Path, *, together: bool = False
) -> Features:
  """Computes the features that `folder` does not hold yet.

  Args:
    plan: of the features.
    folder: for `features.npy` and `blocks.jsonl`.
    together: whether the other processes of the run compute some of them.

  Returns:
    The features, mapped from the file and read-only.

  Raises:
    UserError: if a picture cannot be read any more.
  """

  def missing(blocks: Sequence[slice], keep: Keep) -> None:
    if together:
      exchange.tell(plan, blocks)
    compute(plan, blocks, keep, together=together)

  return filled(folder, plan.header, 'images', missing)


def filled(
  folder: pathlib.Path,
  header: dict[str, Any],
  unit: str,
  compute_blocks: Callable[[Sequence[slice], Keep], None],
) -> Features:
  """Features of a folder, once what it does not hold yet is there.

  Args:
    folder: for `features.npy` and `blocks.jsonl`.
    header: see `store.header_of`.
    unit: what a row is called in messages.
    compute_blocks: is given blocks that are missing, if any are, and keeps each
      of them.

  Returns:
    The features, mapped from the file and read-only.

  Raises:
    UserError: if they cannot be written.
  """
  folder.mkdir(parents=True, exist_ok=True)
  store, number = Store(folder, header), header['shape'][0]
  store.open()
  missing = store.missing()
  done = number - sum(b.stop - b.start for b in missing)
  if missing:
    with Progress('features', number, unit, done) as progress:

      def keep(block: slice, rows: np.ndarray) -> None:
        store.write(block, rows)
        progress.update(block.stop - block.start)

      compute_blocks(missing, keep)
  return Features(store.close(), number - done, store.digest())


def compute(
  plan: Plan,
  blocks: Sequence[slice],
  keep: Keep,
  *,
  together: bool,
) -> None:
  """Computes features, a batch of pictures at a time.

  Args:
    plan: of the features.
    blocks: which pictures make each batch.
    keep: is called with every block, in order, and its rows `[n, D]`.
    together: whether all processes of the run do this, and take turns.

  Raises:
    UserError: if a picture cannot be read any more, or an exported network does
      not run.
  """
  extraction = dataclasses.replace(plan.extraction, batch_size=plan.batch[0])
  width = dim(plan.backbone, extraction)
  with (
    forward.batches(*network(plan.backbone, extraction), plan.batch) as run,
    contextlib.closing(
      decoded(
        plan.source,
        plan.pictures,
        exchange.own(blocks) if together else blocks,
        extraction,
        as_bytes=forward.takes_bytes(),
      )
    ) as batches,
  ):
    # Batches are in the devices' hands while one before them is written.
    begun: collections.deque[tuple[slice, Callable[[], np.ndarray]]]
    begun = collections.deque()

    def finish() -> None:
      block, wait = begun.popleft()
      try:
        found = wait()
      except jax.errors.JaxRuntimeError as error:
        raise exported.told(error) or error from error
      rows = found.reshape(block.stop - block.start, width)
      if not together:
        keep(block, rows)
        return
      for known in exchange.all_of(block, rows, plan.batch[0]):
        keep(*known)

    try:
      for block, batch in batches:
        count = block.stop - block.start
        begun.append((block, run(batch, count) if count else _nothing))
        if len(begun) > forward.ahead(extraction.batch_size):
          finish()
    finally:
      # After a failure too: what was begun is kept.
      while begun:
        finish()


def _nothing() -> np.ndarray:
  return np.zeros(0, np.float32)
