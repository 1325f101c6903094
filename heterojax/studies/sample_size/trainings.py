"""The trainings of the clustering: all parts of a study in one program.

"Due to the stochastic nature of clustering ... the algorithm was trained 10
times" (Mendez 2019, section 3).

Axes: P parts, R trainings, B bootstraps, N rows, Q components, K clusters.
"""

from collections.abc import Iterator, Sequence
import dataclasses
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax import rng
from heterojax.cluster.partitions import partitions
from heterojax.run import checkpoint
from heterojax.studies import stability
from heterojax.studies import stages
from heterojax.studies.sample_size import components
from heterojax.studies.sample_size.components import Reduced
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)
# The fuzzifiers of the table; the paper names none.
FUZZIFIERS = (1.1, 1.5, 2.0)
# Of a stack of parts; one that would be larger is made size by size.
_LARGEST_BYTES = 1 << 30


class Trained(NamedTuple):
  """The clusterings of one part.

  Attributes:
    centers: `[R, K, Q]`.
    labels: `[R, N]` of all samples.
    membership: `[R, N]` of each sample in its own cluster, from 1 / K to 1.
    converged: `[R]` bool.
    again: `[B, N]` labels in bootstraps of the training images; -1 of an image
      that was not drawn.
    fuzzified: labels `[R, N]` by fuzzifier; empty for other methods.
  """

  centers: np.ndarray
  labels: np.ndarray
  membership: np.ndarray
  converged: np.ndarray
  again: np.ndarray
  fuzzified: dict[float, np.ndarray]


def find_or_train(
  settings: Settings,
  folder: pathlib.Path,
  parts: Sequence[Part],
  reduced: Sequence[Reduced],
) -> tuple[list[Trained], int]:
  """Clusters every part, or finds what an earlier run has clustered.

  Args:
    settings: of the study.
    folder: the run folder; clusterings are kept in `checkpoints/clusters`.
    parts: P.
    reduced: P, their samples.

  Returns:
    See `train`, and how many clusterings were trained now.
  """
  path = folder / 'checkpoints' / 'clusters'
  about = checkpoint.digest([
    settings.seed,
    dataclasses.asdict(settings.cluster),
    [[p.n, p.fold, p.samples.of('train')] for p in parts],
    [r.z for r in reduced],
    Trained._fields,
  ])
  leaves = checkpoint.load(path, about)
  if leaves is not None:
    _LOG.info('Resuming: the clusterings are there.')
    return [_restored(settings, leaves, p) for p in range(len(parts))], 0
  trained = train(settings, parts, reduced)
  tree = {str(p): part._asdict() for p, part in enumerate(trained)}
  checkpoint.save(path, tree, about)
  return trained, len(parts) * settings.cluster.trainings


def _restored(settings: Settings, leaves: checkpoint.Leaves, p: int) -> Trained:
  names = [name for name in Trained._fields if name != 'fuzzified']
  return Trained(
    **{name: leaves[f'{p}.{name}'] for name in names},
    fuzzified={m: leaves[f'{p}.fuzzified.{m}'] for m in _fuzzifiers(settings)},
  )


def _fuzzifiers(settings: Settings) -> tuple[float, ...]:
  return FUZZIFIERS if settings.cluster.method == 'fuzzy' else ()


def train(
  settings: Settings, parts: Sequence[Part], reduced: Sequence[Reduced]
) -> list[Trained]:
  """Clusters every part in all trainings.

  Parts are padded to one shape, because compiling a program for each size takes
  longer than running it. Only training images are fitted.
  """
  groups: dict[Any, list[int]] = {}
  widest = max(r.z.shape[1] for r in reduced)
  rows = len(parts) * max(len(r.z) for r in reduced)
  c = settings.cluster
  for i, part in enumerate(parts):
    by = part.n if 8 * rows * widest > _LARGEST_BYTES else 0
    # The one variance of a spherical component is a mean over the columns,
    # which those that are padding must not enter.
    spherical = (c.method, c.covariance) == ('gmm', 'spherical')
    width = reduced[i].z.shape[1] if spherical else 0
    groups.setdefault((by, width), []).append(i)
  trained: dict[int, Trained] = {}
  for group in groups.values():
    together = [parts[i] for i in group]
    clustered = _train(settings, together, [reduced[i] for i in group])
    trained |= dict(zip(group, clustered, strict=True))
  return [trained[i] for i in range(len(parts))]


def _train(
  settings: Settings, parts: Sequence[Part], reduced: Sequence[Reduced]
) -> Iterator[Trained]:
  z, weights = _stacked(parts, reduced)
  c = settings.cluster
  keys = _keys(settings, parts, rng.Purpose.CLUSTERING, c.trainings)
  fitted = partitions(z, weights, keys, stages.algorithm(settings))
  labels = {c.fuzzifier: np.asarray(fitted.labels)}
  wanted = _fuzzifiers(settings)
  for m in set(wanted) - set(labels):
    other = stages.algorithm(settings, fuzzifier=m)
    labels[m] = np.asarray(partitions(z, weights, keys, other).labels)
  for p, part in enumerate(parts):
    n, q = reduced[p].z.shape
    of_part = {m: of_all[p, :, :n] for m, of_all in labels.items()}
    yield Trained(
      centers=np.asarray(fitted.centers[p])[..., :q],
      labels=of_part[c.fuzzifier],
      membership=np.asarray(fitted.memberships[p])[:, :n].max(axis=-1),
      converged=np.asarray(fitted.n_iter[p]) < c.max_iter,
      again=_again(settings, part, z[p])[:, :n],
      fuzzified={m: of_part[m] for m in wanted},
    )


def _keys(
  settings: Settings, parts: Sequence[Part], purpose: rng.Purpose, number: int
) -> jax.Array:
  """`[P, number]`."""
  return jnp.stack([
    jnp.stack([
      components.key(settings, purpose, part, 0, i) for i in range(number)
    ])
    for part in parts
  ])


def _stacked(
  parts: Sequence[Part], reduced: Sequence[Reduced]
) -> tuple[np.ndarray, np.ndarray]:
  """`[P, N, Q]` samples and `[P, N]` weights, 1 for those to fit on."""
  rows = max(len(r.z) for r in reduced)
  columns = max(r.z.shape[1] for r in reduced)
  z = np.zeros((len(parts), rows, columns))
  weights = np.zeros((len(parts), rows))
  for p, (part, r) in enumerate(zip(parts, reduced, strict=True)):
    z[p, : len(r.z), : r.z.shape[1]] = r.z
    weights[p, part.samples.of('train')] = 1
  return z, weights


def _again(settings: Settings, part: Part, z: np.ndarray) -> np.ndarray:
  """`[B, N]` labels in bootstraps of `[N, Q]`, see `Trained`."""
  train = part.samples.of('train')
  stream = rng.generator(
    settings.seed, rng.Purpose.BOOTSTRAP, part.n, part.fold
  )
  units = np.full(len(z), -1)
  units[train] = np.arange(len(train))
  drawn = stability.draws(units, len(train), stream)
  keys = _keys(settings, [part], rng.Purpose.BOOTSTRAP, len(drawn))
  labels = stability.clustered(settings, z, drawn, keys[0])
  signed = labels.astype(np.min_scalar_type(-settings.cluster.k))
  return np.where(drawn > 0, signed, -1)
