"""From the entries of a weight file to the leaves of a Flax module.

Every leaf of the network is assigned exactly once, and every entry of the file
is used or on the short list of what inference does not need; anything else is
an error that names the entry.

A leaf is a *kernel*, whose axes differ between layouts, with its bias; or of a
*norm*, which has a scale, mostly a bias, and running statistics where it is of
batches; or a *plain parameter*, named by its path and taken as it is.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from heterojax.backbones.architecture import Source
from heterojax.backbones.weight_files import WeightFile
from heterojax.errors import UserError

Shapes = Mapping[str, tuple[int, ...]]  # Of the leaves of a layer.
Leaves = dict[str, np.ndarray]

_SUFFIXES = {
  'keras': {
    'kernel': '/kernel',
    'depthwise': '/depthwise_kernel',
    'bias': '/bias',
    'scale': '/gamma',
    'shift': '/beta',
    'mean': '/moving_mean',
    'var': '/moving_variance',
  },
  'torch': {
    'kernel': '.weight',
    'depthwise': '.weight',
    'bias': '.bias',
    'scale': '.weight',
    'shift': '.bias',
    'mean': '.running_mean',
    'var': '.running_var',
  },
}
_OF_BATCH_NORM = ('scale', 'bias', 'mean', 'var')
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


def is_depthwise(kernel: tuple[int, ...]) -> bool:
  """Whether a kernel's shape is `[h, w, C]`."""
  return len(kernel) == 3


def _kernel(raw: np.ndarray, layout: str, want: tuple[int, ...]) -> np.ndarray:
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
  if is_depthwise(want):
    # Keras keeps the multiplier last, [h, w, C, 1]; torch gives [h, w, 1, C].
    kernel = kernel[..., 0] if layout == 'keras' else kernel[..., 0, :]
  if kernel.shape[:-2] == (1, 1) and len(want) == 2:
    kernel = kernel[0, 0]  # timm writes some dense layers as convolutions.
  return kernel


def _folded(kernel: np.ndarray, norm: Leaves, epsilon: float) -> Leaves:
  """Kernel and bias, in float64, of a convolution followed by a batch norm."""
  scale, bias, mean, var = (
    norm[leaf].astype(np.float64) for leaf in _OF_BATCH_NORM
  )
  scale = scale / np.sqrt(var + epsilon)
  return {
    'kernel': kernel.astype(np.float64) * scale,
    'bias': bias - mean * scale,
  }


def port(
  layers: Mapping[str, Shapes], file: WeightFile, source: Source, where: str
) -> dict[str, Leaves]:
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
    UserError: for an entry that is missing, left over or of another shape, is
      not finite, or should be a kernel and is nothing but zeros.
  """
  names, suffixes = source.names, _SUFFIXES[source.layout]
  first = next(iter(names))
  used = {*source.normalises.values()}  # By `sources.preprocessing`.

  def take(layer: str, leaf: str, shapes: Shapes) -> np.ndarray:
    want, kind = shapes[leaf], leaf
    if leaf == 'kernel' and is_depthwise(want):
      kind = 'depthwise'
    elif leaf == 'bias' and 'scale' in shapes:
      kind = 'shift'
    path = f'{layer}.{leaf}'.lstrip('.')
    plain = path in names
    theirs = names[path if plain else layer]
    name = theirs if plain else theirs + suffixes[kind]
    if name not in file.entries:
      raise UserError(
        f'{where} lacks the entry {name}: it is not a complete weight file of'
        ' this network.'
      )
    used.add(name)
    value = file.entries[name]
    if leaf == 'kernel' and not plain:
      value = _kernel(value, source.layout, want)
    if value.shape != want:
      raise _shape_error(where, name, value.shape, want)
    if not np.all(np.isfinite(value)):
      raise UserError(f'{where} holds values that are not finite in {theirs}.')
    # Of most kinds of files no checksum tells, and features would be of less.
    if leaf == 'kernel' and not value.any():
      raise UserError(
        f'{where} holds nothing but zeros in {theirs}, as a file does that has'
        ' not arrived whole: copy it again.'
      )
    bgr = source.reads_bgr and (layer, leaf) == (first, 'kernel')
    return value[:, :, ::-1] if bgr else value

  def fill(layer: str, shapes: Shapes) -> Leaves:
    # What is most telling first, for the entry that an error names.
    order = dict.fromkeys(('kernel', *_OF_BATCH_NORM, *shapes))
    return {leaf: take(layer, leaf, shapes) for leaf in order if leaf in shapes}

  filled = {}
  for layer, shapes in layers.items():
    norm = f'{layer}.norm'
    if source.norm is None or norm not in names or norm in layers:
      filled[layer] = fill(layer, shapes)
      continue
    kernel = take(layer, 'kernel', shapes)
    stored = fill(norm, dict.fromkeys(_OF_BATCH_NORM, shapes['bias']))
    filled[layer] = _folded(kernel, stored, source.norm.epsilon)
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
    layer: {k: np.asarray(v, np.float32) for k, v in leaves.items()}
    for layer, leaves in filled.items()
  }


def _shape_error(where: str, name: str, got: Any, want: Any) -> UserError:
  return UserError(
    f'{where} has {name} with shape {tuple(got)} where this network needs'
    f' {tuple(want)} (axes h, w, in, out).'
  )
