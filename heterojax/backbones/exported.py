"""Networks that were exported to ONNX, run by ONNX Runtime (extra `onnx`).

What a graph does not say, a field does: how pixels are normalised. All else is
read from it. It runs on the CPU, from inside the compiled program that any
other network is, so that nothing else knows of it.
"""

from collections.abc import Sequence
import hashlib
import logging
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np

from heterojax import backbones
from heterojax import regular_files
from heterojax.backbones import architecture
from heterojax.backbones import networks
from heterojax.backbones import onnx_graph
from heterojax.errors import UserError

PREFIX = 'onnx:'
# Of 0..255 RGB: what is subtracted, and what then divides.
NORMALISATIONS = {
  'imagenet': architecture.IMAGENET,
  'unit': ((0.0,) * 3, (255.0,) * 3),
  'symmetric': ((127.5,) * 3, (127.5,) * 3),
  'raw': ((0.0,) * 3, (1.0,) * 3),
}
# It would print a traceback before a sentence is said.
logging.getLogger('jax._src.callback').setLevel(logging.CRITICAL)
_CHANNELS = 3
_NETWORK = 'The exported network'
# Of what two pictures differ in; 8 bits that are scaled by the batch, and the
# order of sums, change less.
_ALIKE = 0.1


class _Graph(NamedTuple):
  """What a network takes.

  Attributes:
    input: name of the images.
    output: name of the features.
    batch: images at a time; 0 for any number.
    channels_first: whether images are `[B, 3, H, W]`.
    side: their height and width; 0 for any.
  """

  input: str
  output: str
  batch: int
  channels_first: bool
  side: int


class _Runner:
  """A session, called with normalised images `[B, H, W, 3]`."""

  def __init__(self, session: Any, graph: _Graph):
    self._session, self.graph = session, graph

  def __call__(self, images: Any) -> np.ndarray:
    """Features, a row for each image; UserError where there is none."""
    images = np.asarray(images, np.float32)
    if self.graph.channels_first:
      images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    step = self.graph.batch or len(images)
    found = [
      self._run(images[start : start + step], step)
      for start in range(0, len(images), step)
    ]
    return np.concatenate(found).astype(np.float32)

  def _run(self, images: np.ndarray, step: int) -> np.ndarray:
    n = len(images)
    lacking = [(0, step - n)] + [(0, 0)] * (images.ndim - 1)
    feed = {self.graph.input: np.pad(images, lacking)}
    try:
      found = self._session.run([self.graph.output], feed)[0]
    except Exception as error:  # See `_session`. # pylint: disable=broad-except
      raise UserError(
        f'{_NETWORK} does not run on {n} images of {images.shape[-2]} pixels'
        f' ({_short(error)}): change --config.data.image_size, or export it'
        ' otherwise.'
      ) from error
    # The first of other rows would be taken for those of the images.
    if found.shape[:1] != (step,):
      raise UserError(
        f'{_NETWORK} gives {list(found.shape)} as {self.graph.output} for a'
        f' batch of {step}, but must give a row for each image: name another'
        ' output.'
      )
    return found[:n]


class Exported(architecture.Network):
  """A graph as a network of this program.

  Attributes:
    classifier: none that is known.
  """

  classifier = None

  def __init__(
    self, runner: _Runner, shape: tuple[int, ...], channels_first: bool
  ):
    self.runner, self.shape = runner, shape
    self.channels_first = channels_first

  def feature_map(self, x: jax.Array) -> jax.Array:
    """`[B, h, w, D]`; of features `[B, D]` or tokens `[B, T, D]` h is 1."""
    out = jax.ShapeDtypeStruct((len(x), *self.shape), np.float32)
    found = jax.pure_callback(self.runner, out, x)
    if found.ndim == 4:
      return jnp.moveaxis(found, 1, -1) if self.channels_first else found
    return found.reshape(len(x), 1, -1, found.shape[-1])


def told(error: Exception) -> UserError | None:
  """What a network said inside of a program, of which JAX keeps the text."""
  _, found, said = str(error).partition(_NETWORK)
  return UserError(f'{found}{said.splitlines()[0]}') if found else None


def load(name: str, normalisation: str, side: int) -> backbones.Backbone:
  """Loads an exported network.

  Args:
    name: `onnx:FILE`, or `onnx:FILE#OUTPUT` where it has several outputs.
    normalisation: of `NORMALISATIONS`.
    side: of the images, in pixels.

  Returns:
    The network; its `source` says what was chosen, its digest is the file's.

  Raises:
    UserError: if it cannot be read, or does not take such images.
  """
  file, _, output = name.removeprefix(PREFIX).partition('#')
  path = pathlib.Path(file).expanduser()
  try:
    content = regular_files.read(path)
  except OSError as error:
    raise UserError(
      f'{path} cannot be read ({error.strerror or error}):'
      ' --config.backbone.name=onnx: takes the file of an exported network.'
    ) from error
  session = _session(path, content)
  graph = _graph(path, session, output)
  if graph.side not in (0, side):
    raise UserError(
      f'{path} takes images of {graph.side} pixels, not of {side}: give'
      f' --config.data.image_size={graph.side}.'
    )
  runner = _Runner(session, graph)
  mean, std = map(np.array, NORMALISATIONS[normalisation])
  shape = _shape(path, runner, (_two(side) - mean) / std)
  network = Exported(runner, shape, _channels_first(path, shape, graph))
  graphdef, state = nnx.split(network)
  return backbones.Backbone(
    name=f'{PREFIX}{path.name}',
    source=f'output {graph.output}, pixels {normalisation}',
    weights=path.name,
    weights_sha256=hashlib.sha256(content).hexdigest(),
    has_top=False,
    params=networks.params(state, {}, mean, std),
    graphdef=graphdef,
  )


def _session(path: pathlib.Path, content: bytes) -> Any:
  try:
    # pylint: disable-next=import-outside-toplevel
    from heterojax.backbones import onnx_session
  except ImportError as error:
    raise UserError(
      f'{path} needs ONNX Runtime, which is not installed: pip install'
      " 'heterojax[onnx]'."
    ) from error
  try:
    # There is a digest of these bytes alone.
    if not onnx_graph.is_whole(content):
      raise ValueError('it takes tensors from other files')
    return onnx_session.Session(content)
  # Its exceptions have no common base.
  except Exception as error:  # pylint: disable=broad-except
    raise UserError(
      f'{path} is no network that ONNX Runtime can run ({_short(error)});'
      ' weights must be in the file itself, not in others beside it.'
    ) from error


def _graph(path: pathlib.Path, session: Any, output: str) -> _Graph:
  inputs, outputs = session.get_inputs(), session.get_outputs()
  names = [found.name for found in outputs]
  if len(inputs) != 1 or inputs[0].type != 'tensor(float)':
    taken = ', '.join(f'{i.name} ({i.type})' for i in inputs)
    raise UserError(
      f'{path} takes {taken}, but must take images of float32 alone: export'
      ' it so.'
    )
  if not output and len(names) > 1:
    raise UserError(
      f'{path} has the outputs {", ".join(names)}: say which are the features'
      f' with --config.backbone.name=onnx:{path}#{names[0]}.'
    )
  output = output or names[0]
  if output not in names:
    raise UserError(
      f'{path} has no output {output!r}: it has {", ".join(names)}.'
    )
  batch, *shape = [n if isinstance(n, int) else 0 for n in inputs[0].shape]
  return _Graph(inputs[0].name, output, batch, *_layout(path, shape))


def _layout(path: pathlib.Path, shape: Sequence[int]) -> tuple[bool, int]:
  """Whether channels come first, and the side."""
  ends = [shape[0] == _CHANNELS, shape[-1] == _CHANNELS] if shape else []
  if len(shape) != 3 or sum(ends) != 1:
    raise UserError(
      f'{path} takes {list(shape)} a picture, of which it cannot be told where'
      ' its three channels are: export it for [3, H, W] or [H, W, 3].'
    )
  height, width = shape[1:] if ends[0] else shape[:-1]
  if height != width:
    raise UserError(
      f'{path} takes images of {height} x {width} pixels, but must take square'
      ' ones, or any: export it so.'
    )
  return ends[0], height


def _two(side: int) -> np.ndarray:
  """`[2, S, S, 3]`, two pictures of 0..255 that nothing takes for alike."""
  rising = np.linspace(0, 255, side)[:, None] * np.ones((side, 3))
  return np.stack([
    np.broadcast_to(rising, (side, side, _CHANNELS)),
    np.broadcast_to(255 - rising[:, None] / 2, (side, side, _CHANNELS)),
  ])


def _shape(
  path: pathlib.Path, runner: _Runner, images: np.ndarray
) -> tuple[int, ...]:
  """Shape of the features of one picture, found by running two.

  Raises:
    UserError: if the network does not run, or what it gives for a picture is
      none of its features.
  """
  alone, both = runner(images[:1]), runner(images)
  if not 2 <= both.ndim <= 4 or not both.size:
    raise UserError(
      f'{path} gives {list(both.shape)}, but must give [B, D], [B, T, D] or a'
      ' feature map of four axes: name another output.'
    )
  first, second = both
  most = _ALIKE * np.abs(first - second).max()
  if alone[0].shape != first.shape or np.abs(alone[0] - first).max() > most:
    raise UserError(
      f'{path} gives other features of a picture beside another one than alone,'
      ' as a network does that was exported for training: export it for'
      ' inference, as after model.eval().'
    )
  return both.shape[1:]


def _channels_first(
  path: pathlib.Path, shape: tuple[int, ...], graph: _Graph
) -> bool:
  """Whether a feature map has its channels before its height and width.

  Some networks take images in one layout and give maps in the other, as Swin
  Transformers do. Of a square image a map is square; where both could be, it
  has the layout of the images.

  Raises:
    UserError: if a map is square in neither layout.
  """
  if len(shape) != 3:
    return graph.channels_first
  first, last = shape[1] == shape[2], shape[0] == shape[1]
  if not (first or last):
    raise UserError(
      f'{path} gives {list(shape)} a picture, of which it cannot be told where'
      ' the channels are: name another output, or export a square feature map.'
    )
  return graph.channels_first if first and last else first


def _short(error: Exception) -> str:
  return ' '.join(str(error).split())[:200].rstrip('.')
