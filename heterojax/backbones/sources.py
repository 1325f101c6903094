"""Whose weights a file holds, and what their preprocessing was.

The same architecture was trained by several projects that differ in
preprocessing, padding, epsilon and names. A wrong one gives plausible features
that are wrong, so a file whose source cannot be told is refused rather than
guessed.
"""

import numpy as np

from heterojax.backbones.architecture import IMAGENET_STD
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Source
from heterojax.backbones.weight_files import WeightFile
from heterojax.errors import UserError


def detect(
  architecture: Architecture, file: WeightFile, md5: str, where: str
) -> str:
  """Tells the source of a weight file by its keys and hash.

  Args:
    architecture: the network.
    file: the file's entries.
    md5: of the file.
    where: the file's name, for messages.

  Returns:
    A key of the architecture's sources.

  Raises:
    UserError: if no source fits, or more than one does.
  """
  rows = architecture.sources
  fitting = [
    name
    for name, source in rows.items()
    if source.layout == file.layout
    and source.kernel(next(iter(source.names))) in file.entries
  ]
  if not fitting:
    raise UserError(
      f'{where} does not hold the weights of {architecture.name} under any'
      f' known naming ({", ".join(rows)}); its first entries are'
      f' {", ".join(list(file.entries)[:3])}.'
    )
  # Names may differ only in the classifier.
  whole = [n for n in fitting if has_top(architecture, rows[n], file)]
  fitting = whole or fitting
  if len(fitting) > 1:
    fitting = _by_content(architecture, fitting, file, md5)
  first, *others = (rows[name]._replace(names={}) for name in fitting)
  if any(other != first for other in others):
    raise UserError(
      f'{where} may come from {" or ".join(fitting)}, which differ in padding'
      ' or preprocessing though not in names: say which one with'
      f' --config.backbone.source={fitting[0]}.'
    )
  return fitting[0]


def has_top(
  architecture: Architecture, source: Source, file: WeightFile
) -> bool:
  """Whether a file holds a classifier."""
  return any(source.kernel(n) in file.entries for n in architecture.top[-1:])


def without_top(
  architecture: Architecture, source: Source, file: WeightFile
) -> WeightFile:
  """The file less the entries of its classifier."""
  separator = '/' if source.layout == 'keras' else '.'
  top = tuple(source.names[layer] + separator for layer in architecture.top)
  entries = {
    name: value
    for name, value in file.entries.items()
    if not name.startswith(top)
  }
  return file._replace(entries=entries)


def _by_content(
  architecture: Architecture, fitting: list[str], file: WeightFile, md5: str
) -> list[str]:
  for digest in (file.sha256[:8], md5):
    known = architecture.digests.get(digest)
    if known in fitting:
      return [known]
  plain = [n for n in fitting if not architecture.sources[n].rescaled]
  mean = file.entries.get('normalization/mean')
  # A network built with weights=None or a path never has the extra rescaling,
  # and only such a one keeps the identity normalisation.
  if mean is None or not np.any(mean):
    return plain
  return fitting


def preprocessing(
  source: Source, file: WeightFile | None
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and std of 0..255 RGB, `[3]` float64 each.

  Keras computes (x / 255 - mean) / max(sqrt(variance), 1e-7) with the values of
  its normalization layer and, only where the network was built with
  weights='imagenet', divides by sqrt(std) once more (the published file holds
  the standard deviation where the variance belongs).

  Raises:
    UserError: if the file's normalization is none of three channels.
  """
  if not source.normalises or file is None:
    return np.asarray(source.mean), np.asarray(source.std)
  stored = {
    key: np.ravel(file.entries.get(f'normalization/{key}', default))
    for key, default in (('mean', 0.0), ('variance', 1.0))
  }
  for key, values in stored.items():
    sound = values.size in (1, 3) and np.all(np.isfinite(values))
    if not sound or (key == 'variance' and np.any(values < 0)):
      raise UserError(
        f'The weight file has a normalization/{key} that is none of three'
        ' channels: it is damaged or of another network.'
      )
  mean = np.broadcast_to(255.0 * stored['mean'].astype(np.float64), 3)
  variance = stored['variance'].astype(np.float64)
  std = np.broadcast_to(255.0 * np.maximum(np.sqrt(variance), 1e-7), 3)
  if source.rescaled:
    std = std * np.sqrt(np.asarray(IMAGENET_STD))
  return mean, std
