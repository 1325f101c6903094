"""Whose weights a file holds, and what their preprocessing was.

The same architecture was trained by several projects that differ in
preprocessing, padding, epsilon and names. A wrong one gives plausible features
that are wrong, so a file whose source cannot be told is refused rather than
guessed.
"""

from collections.abc import Mapping
import logging

import numpy as np

from heterojax.backbones.architecture import IMAGENET_STD
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Source
from heterojax.backbones.imagenet import Packaged
from heterojax.backbones.imagenet import Published
from heterojax.backbones.porting import Leaves
from heterojax.backbones.weight_files import WeightFile
from heterojax.errors import UserError

_LOG = logging.getLogger(__name__)
# Of what a file may hold: nothing divides by 0.
_LEAST = {'std': 1e-7, 'factor': 1e-7, 'variance': 0.0}


def detect(architecture: Architecture, file: WeightFile, where: str) -> str:
  """Tells the source of a weight file by its keys and hash.

  Args:
    architecture: the network.
    file: the file's entries.
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
    fitting = _by_content(architecture, fitting, file)
  first, *others = (rows[name]._replace(names={}) for name in fitting)
  if any(other != first for other in others):
    raise UserError(
      f'{where} may come from {" or ".join(fitting)}, which differ in padding'
      ' or preprocessing though not in names: say which one with'
      f' --config.backbone.source={fitting[0]}.'
    )
  if first.sha256 not in ('', file.sha256):
    raise UserError(
      f'{where} has the names of {fitting[0]}, but not its bytes (its sha256 is'
      f' {file.sha256}, not {first.sha256}): it is damaged or was trained'
      ' further. If that is what you want, add'
      f' --config.backbone.source={fitting[0]}.'
    )
  return fitting[0]


def unwrapped(
  architecture: Architecture, file: WeightFile, where: str
) -> WeightFile:
  """The file with the names that the network's own code gives its entries.

  Checkpoints are saved from what holds the network: 'model.' (Lightning),
  '_orig_mod.' (`torch.compile`), 'module.', 'timm_model.', 'net.' and whatever
  else an attribute may be called, also within each other.

  Args:
    architecture: the network.
    file: the file's entries.
    where: the file's name, for messages.

  Returns:
    The entries under the one prefix after which the names are those of a
    source, without it; the file itself where there is none.

  Raises:
    UserError: if there are several such prefixes.
  """
  found = {
    prefix
    for source in architecture.sources.values()
    if source.layout == file.layout == 'torch'
    for prefix in _prefixes(architecture, source, file)
  }
  if not found or '' in found:
    return file
  prefix, *others = sorted(found)
  if others:
    raise UserError(
      f'{where} holds the network {architecture.name} more than once, under'
      f' {", ".join(sorted(found))}: save the state_dict() of the one to study.'
    )
  inside = {
    name.removeprefix(prefix): value
    for name, value in file.entries.items()
    if name.startswith(prefix)
  }
  if outside := len(file.entries) - len(inside):
    _LOG.info(
      '%s: the network is what lies under %s; %d other entries are not read.',
      where,
      prefix,
      outside,
    )
  return file._replace(entries=inside)


def _prefixes(
  architecture: Architecture, source: Source, file: WeightFile
) -> set[str]:
  """What stands before most of the names of a source."""
  layers = [name for name in source.names if name not in architecture.top]
  kernels = [source.kernel(name) for name in layers]
  stem = kernels[0]
  return {
    prefix
    for name in file.entries
    if name.endswith(stem)
    and (prefix := name.removesuffix(stem))[-1:] in ('', '.')
    and 2 * sum(prefix + k in file.entries for k in kernels) > len(kernels)
  }


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
  architecture: Architecture, fitting: list[str], file: WeightFile
) -> list[str]:
  for digest in (file.sha256[:8], file.md5):
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


def _with_norms(architecture: Architecture) -> list[str]:
  return [n for n, row in architecture.sources.items() if row.norm is not None]


def published(
  architecture: Architecture, source: str, with_norms: bool
) -> list[Published | Packaged]:
  """Published files that a source, or 'auto', can read.

  Raises:
    UserError: if batch norms are wanted and none of them has any.
  """
  rows, norms = architecture.sources, _with_norms(architecture)
  readable = [
    file
    for file in architecture.published
    if source == 'auto' or rows[file.source].names == rows[source].names
  ]
  if not with_norms or not norms:
    return readable
  fitting = [file for file in readable if file.source in norms]
  if readable and not fitting:
    raise folded(architecture, f'the published weights ({source})')
  return fitting


def require_norms(
  architecture: Architecture, source: Source, where: str
) -> None:
  """Raises a UserError for weights that have the batch norms folded."""
  if source.norm is None and _with_norms(architecture):
    raise folded(architecture, where)


def are_spent(filled: Mapping[str, Leaves]) -> bool:
  """Whether batch norms are there but folded all the same.

  They then scale nothing, and have biases or means, which an untrained network
  has not.
  """
  norms = [leaves for leaves in filled.values() if 'mean' in leaves]
  return (
    bool(norms)
    and all(np.all(n['scale'] == 1) and np.ptp(n['var']) == 0 for n in norms)
    and any(np.any(n['bias']) or np.any(n['mean']) for n in norms)
  )


def folded(architecture: Architecture, where: str) -> UserError:
  """What to say of batch norms that cannot be trained."""
  known = _with_norms(architecture)
  files = [
    f', such as {file.file} (--config.backbone.weights=imagenet --download)'
    for file in architecture.published
    if isinstance(file, Published) and file.source in known
  ]
  return UserError(
    f'The batch norms of {where} are folded into the convolutions, so there'
    ' are no statistics to go on training with: take a file that has them'
    f'{"".join(files[:1])}; or train the convolutions as they are with'
    ' --config.fine_tuning.batch_norm=folded.'
  )


def preprocessing(
  source: Source, file: WeightFile | None
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and std of 0..255 RGB, `[3]` float64 each.

  A network may hold its own: (f x / 255 - mean) / std, with a factor f that is
  mostly 1. Keras has max(sqrt(variance), 1e-7) for the std and, only where the
  network was built with weights='imagenet', divides by sqrt(std) once more (the
  published file holds the standard deviation where the variance belongs).

  Raises:
    UserError: if the file's normalization is none of three channels.
  """
  entries = {} if file is None else file.entries
  stored = {
    key: np.ravel(entries[name]).astype(np.float64)
    for key, name in source.normalises.items()
    if name in entries
  }
  if 'factor' in source.normalises and len(stored) not in (
    0,
    len(source.normalises),
  ):
    raise UserError(
      'The weight file has not all of'
      f' {", ".join(source.normalises.values())}: it is damaged.'
    )
  for key, values in stored.items():
    sound = values.size in (1, 3) and np.all(np.isfinite(values))
    if not sound or not np.all(values >= _LEAST.get(key, -np.inf)):
      raise UserError(
        f'The weight file has a {source.normalises[key]} that is none of three'
        ' channels: it is damaged or of another network.'
      )
  mean, std = np.asarray(source.mean), np.asarray(source.std)
  if stored:
    unit = 255.0 / stored.get('factor', 1.0)
    deviation = np.maximum(np.sqrt(stored.get('variance', 1.0)), 1e-7)
    mean = np.broadcast_to(unit * stored.get('mean', 0.0), 3)
    std = np.broadcast_to(unit * stored.get('std', deviation), 3)
  if source.rescaled and file is not None:
    std = std * np.sqrt(np.asarray(IMAGENET_STD))
  return mean, std
