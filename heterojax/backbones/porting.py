"""From the entries of a weight file to the leaves of a Flax module.

Every leaf of the network is assigned exactly once, and every entry of the file
is used or on the short list of what inference does not need; anything else is
an error that names the entry.
"""

from typing import Any

import numpy as np

from heterojax.backbones.sources import Source
from heterojax.backbones.weight_files import WeightFile
from heterojax.errors import UserError

_SUFFIXES = {
  'keras': {
    'kernel': '/kernel',
    'depthwise': '/depthwise_kernel',
    'bias': '/bias',
    'gamma': '/gamma',
    'beta': '/beta',
    'mean': '/moving_mean',
    'variance': '/moving_variance',
  },
  'torch': {
    'kernel': '.weight',
    'depthwise': '.weight',
    'bias': '.bias',
    'gamma': '.weight',
    'beta': '.bias',
    'mean': '.running_mean',
    'variance': '.running_var',
  },
}
# Our name of a batch norm's leaf to the kind of its entry.
_NORM_LEAVES = {
  'scale': 'gamma',
  'bias': 'beta',
  'mean': 'mean',
  'var': 'variance',
}
# Counters that only training reads, and what `sources.preprocessing` has read.
_IGNORED = (
  '.num_batches_tracked',
  'normalization/mean',
  'normalization/variance',
  'normalization/count',
)
# Axes of each layout to those of `layers`: HWIO, [h, w, C] and [in, out].
_AXES = {
  ('keras', 4): (0, 1, 2, 3),
  ('keras', 2): (0, 1),
  ('torch', 4): (2, 3, 1, 0),
  ('torch', 2): (1, 0),
}


def _kernel(
  raw: np.ndarray, layout: str, depthwise: bool, want: tuple[int, ...]
) -> np.ndarray:
  """Kernel with our axes; a wrong shape is left for the shape check."""
  if raw.ndim == 2 and len(want) == 4:
    # A dense layer over a flattened map: H, W, C in Keras and C, H, W in torch.
    *sides, channels = want[:3]
    inputs = (*sides, channels) if layout == 'keras' else (channels, *sides)
    if raw.size == np.prod(want):
      raw = raw.reshape(
        (*inputs, -1) if layout == 'keras' else (want[-1], *inputs)
      )
  axes = _AXES.get((layout, raw.ndim))
  if axes is None:
    return raw
  kernel = raw.transpose(axes)
  if depthwise:
    # Keras keeps the multiplier last, [h, w, C, 1]; torch gives [h, w, 1, C].
    kernel = kernel[..., 0] if layout == 'keras' else kernel[..., 0, :]
  if kernel.shape[:-2] == (1, 1) and len(want) == 2:
    kernel = kernel[0, 0]  # timm writes some dense layers as convolutions.
  return kernel


def _folded(leaves: dict[str, np.ndarray], epsilon: float) -> dict[str, Any]:
  """Kernel and bias, in float64, of a convolution followed by a batch norm."""
  kernel, scale, bias, mean, var = (
    leaves[leaf].astype(np.float64)
    for leaf in ('kernel', 'scale', 'bias', 'mean', 'var')
  )
  scale = scale / np.sqrt(var + epsilon)
  return {'kernel': kernel * scale, 'bias': bias - mean * scale}


def port(
  layers: dict[str, dict[str, tuple[int, ...]]],
  file: WeightFile,
  source: Source,
  where: str,
) -> dict[str, dict[str, np.ndarray]]:
  """Fills every layer from a weight file.

  A batch norm that the network has as the layer `<convolution>.norm` is kept;
  any other is folded into its convolution in float64: w' = w g / sqrt(v + eps),
  b' = beta - m g / sqrt(v + eps).

  Args:
    layers: target layer to the shapes of its leaves.
    file: the file's entries.
    source: how they are named.
    where: the file's name, for messages.

  Returns:
    Target layer to its float32 leaves.

  Raises:
    UserError: for an entry that is missing, left over or of another shape.
  """
  suffixes = _SUFFIXES[source.layout]
  names = source.names()
  first = next(iter(names))
  used = set()

  def take(layer: str, kind: str, want: tuple[int, ...]) -> np.ndarray:
    name = layer + suffixes[kind]
    if name not in file.entries:
      raise UserError(
        f'{where} lacks the entry {name}: it is not a complete weight file of'
        ' this network.'
      )
    used.add(name)
    value = file.entries[name]
    if kind in ('kernel', 'depthwise'):
      value = _kernel(value, source.layout, kind == 'depthwise', want)
    if value.shape != want:
      raise _shape_error(where, name, value.shape, want)
    if not np.all(np.isfinite(value)):
      raise UserError(f'{where} holds values that are not finite in {layer}.')
    return value

  filled = {}
  for target, shapes in layers.items():
    if target.endswith('.norm'):
      continue  # Comes with its convolution.
    conv, norm = names[target]
    kind = 'depthwise' if target.endswith('depthwise') else 'kernel'
    leaves = {'kernel': take(conv, kind, shapes['kernel'])}
    if target == first and source.reads_bgr:
      leaves['kernel'] = leaves['kernel'][:, :, ::-1]
    width = shapes['kernel'][-1:]
    if norm is None:
      leaves['bias'] = take(conv, 'bias', width)
    else:
      leaves |= {
        leaf: take(norm, kind, width) for leaf, kind in _NORM_LEAVES.items()
      }
    kept = layers.get(f'{target}.norm')
    if kept is not None:
      filled[f'{target}.norm'] = {leaf: leaves.pop(leaf) for leaf in kept}
    elif norm is not None:
      leaves = _folded(leaves, source.norm.epsilon)
    filled[target] = leaves
  left = [
    name
    for name in file.entries
    if name not in used and not name.endswith(_IGNORED)
  ]
  if left:
    raise UserError(
      f'{where} holds {len(left)} entries that this network has no place for,'
      f' the first is {left[0]}: it belongs to another network.'
    )
  return {
    target: {
      leaf: np.asarray(value, np.float32) for leaf, value in leaves.items()
    }
    for target, leaves in filled.items()
  }


def _shape_error(where: str, name: str, got: Any, want: Any) -> UserError:
  return UserError(
    f'{where} has {name} with shape {tuple(got)} where this network needs'
    f' {tuple(want)} (axes h, w, in, out).'
  )
