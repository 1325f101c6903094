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


def _kernel(raw: np.ndarray, layout: str, depthwise: bool) -> np.ndarray:
  """Kernel with our axes; a wrong rank is left for the shape check."""
  axes = _AXES.get((layout, raw.ndim))
  if axes is None:
    return raw
  kernel = raw.transpose(axes)
  if depthwise:
    # Keras keeps the multiplier last, [h, w, C, 1]; torch gives [h, w, 1, C].
    kernel = kernel[..., 0] if layout == 'keras' else kernel[..., 0, :]
  return kernel


def port(
    layers: dict[str, dict[str, tuple[int, ...]]],
    file: WeightFile,
    source: Source,
    where: str,
) -> dict[str, dict[str, np.ndarray]]:
  """Fills every layer from a weight file and folds batch norm into it.

  Folding is done in float64: w' = w g / sqrt(v + eps), b' = beta - m g / sqrt(v
  + eps).

  Args:
    layers: target layer to the shapes of its `kernel` and `bias`.
    file: the file's entries.
    source: how they are named.
    where: the file's name, for messages.

  Returns:
    Target layer to float32 `kernel` and `bias`.

  Raises:
    UserError: for an entry that is missing, left over or of another shape.
  """
  suffixes = _SUFFIXES[source.layout]
  names = source.names()
  used = set()

  def take(layer: str, kind: str) -> np.ndarray:
    name = layer + suffixes[kind]
    if name not in file.entries:
      raise UserError(
          f'{where} lacks the entry {name}: it is not a complete weight file of'
          ' this network.'
      )
    used.add(name)
    return file.entries[name].astype(np.float64)

  filled = {}
  for target, shapes in layers.items():
    conv, norm = names[target]
    depthwise = target.endswith('depthwise')
    raw = take(conv, 'depthwise' if depthwise else 'kernel')
    kernel = _kernel(raw, source.layout, depthwise)
    if norm is None:
      bias = take(conv, 'bias')
    else:
      mean, variance = take(norm, 'mean'), take(norm, 'variance')
      gamma, beta = take(norm, 'gamma'), take(norm, 'beta')
      widths = {leaf.shape for leaf in (mean, variance, gamma, beta)}
      if widths != {shapes['bias']} or kernel.shape != shapes['kernel']:
        raise _shape_error(where, conv, kernel.shape, shapes['kernel'])
      scale = gamma / np.sqrt(variance + source.epsilon)
      kernel, bias = kernel * scale, beta - mean * scale
    for leaf, value in (('kernel', kernel), ('bias', bias)):
      if value.shape != shapes[leaf]:
        raise _shape_error(where, f'{conv} ({leaf})', value.shape, shapes[leaf])
      if not np.all(np.isfinite(value)):
        raise UserError(f'{where} holds values that are not finite in {conv}.')
    filled[target] = {
        'kernel': kernel.astype(np.float32),
        'bias': bias.astype(np.float32),
    }
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
  return filled


def _shape_error(where: str, name: str, got: Any, want: Any) -> UserError:
  return UserError(
      f'{where} has {name} with shape {tuple(got)} where this network needs'
      f' {tuple(want)} (axes h, w, in, out).'
  )
