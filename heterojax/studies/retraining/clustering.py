"""Cluster analysis on the image features (Wang 2023).

"We selected the first 200 principal components ... used the K-means clustering
algorithm ... assigned the transformed testing set into the four clusters based
on the cluster centers found from the training set." Axes: see `outcome`.
"""

from collections.abc import Sequence
import dataclasses
import logging
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from sklearn.metrics import adjusted_rand_score

from heterojax import cluster
from heterojax import rng
from heterojax.cluster import matching
from heterojax.cluster.partitions import partitions
from heterojax.compute import cores
from heterojax.compute import row_blocks
from heterojax.compute.arrays import Array
from heterojax.errors import UserError
from heterojax.features import Features
from heterojax.run import checkpoint
from heterojax.studies import partition
from heterojax.studies import stages
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.records import Rejected
from heterojax.studies.retraining.records import RejectedCluster
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Reduction
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)


def clusters_of_folds(
  settings: Settings,
  folder: pathlib.Path,
  features: Features,
  samples: Sequence[Samples],
  groups: partition.Groups | None,
) -> tuple[list[Clusters], list[float]]:
  """The aligned clusters of every fold, or those that an earlier run found.

  Args:
    settings: of the study.
    folder: the run folder; they are kept in `checkpoints/clusters`.
    features: of all pictures.
    samples: of each fold.
    groups: that are known, in the place of clusters.

  Returns:
    See `align`.
  """
  path = folder / 'checkpoints' / 'clusters'
  about = checkpoint.digest([
    features.digest,
    settings.seed,
    dataclasses.asdict(settings.reduction),
    dataclasses.asdict(settings.cluster),
    [[checkpoint.of_texts(fold.ids), fold.split, fold.row] for fold in samples],
    [] if groups is None else [[*groups.names], [*groups.of.items()]],
  ])
  leaves = checkpoint.load(path, about)
  if leaves is not None:
    _LOG.info('Resuming: the clusters are there.')
    return _restored(leaves, features, samples)
  x = cores.placed(features.x)
  apart = [
    cluster_analysis(settings, x, fold, number, groups)
    for number, fold in enumerate(samples)
  ]
  clusters, agreement = align(list(zip(samples, apart, strict=True)))
  tree = {str(number): _kept(c) for number, c in enumerate(clusters)}
  checkpoint.save(path, tree | {'agreement': np.array(agreement)}, about)
  return clusters, agreement


def _kept(clusters: Clusters) -> dict[str, Any]:
  """What is stored: not features once more, where nothing reduces them."""
  kept = clusters._asdict()
  if clusters.explained_variance is None:
    del kept['explained_variance'], kept['z']
  return kept


def _restored(
  leaves: checkpoint.Leaves, features: Features, samples: Sequence[Samples]
) -> tuple[list[Clusters], list[float]]:
  clusters = []
  for number, fold in enumerate(samples):
    kept: dict[str, Any] = {
      name: leaves[f'{number}.{name}']
      for name in Clusters._fields
      if f'{number}.{name}' in leaves
    }
    if 'z' in kept:
      (kept['explained_variance'],) = kept['explained_variance'].tolist()
    else:
      kept |= {
        'z': np.asarray(features.x[fold.row]),
        'explained_variance': None,
      }
    clusters.append(Clusters(**kept))
  return clusters, leaves['agreement'].tolist()


def cluster_analysis(
  settings: Settings,
  x: Array,
  samples: Samples,
  fold: int,
  groups: partition.Groups | None = None,
) -> Clusters:
  """Reduces, clusters training images and assigns the others.

  Clusters may be empty: of images, or fuzzy centroids, that do not differ.
  Where groups are known these are the clusters.
  """
  z, explained = _reduced(settings.reduction, x, samples)
  train = samples.split == 'train'
  if groups is None:
    centers, labels = _fitted(settings, z, train, fold)
  else:
    centers, labels = _known(groups, np.asarray(z), samples)
  z = np.asarray(z)
  distance = np.concatenate([
    np.linalg.norm(z[block].astype(np.float64) - centers[labels[block]], axis=1)
    for block in row_blocks.slices(*z.shape)
  ])
  return Clusters(z, centers, labels, distance, explained)


def _fitted(
  settings: Settings, z: Array, train: np.ndarray, fold: int
) -> tuple[np.ndarray, np.ndarray]:
  """Centers `[K, Q]` of the training samples, and labels `[N]` of all."""
  key = rng.key(settings.seed, rng.Purpose.CLUSTERING, fold)
  fitted = partitions(
    z[None],
    np.asarray(train, z.dtype)[None],
    key[None, None],
    stages.algorithm(settings),
  )
  return np.asarray(fitted.centers[0, 0]), np.array(fitted.labels[0, 0])


def _known(
  groups: partition.Groups, z: np.ndarray, samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
  """Means `[K, Q]` of the groups' training samples, and labels `[N]`."""
  labels = np.array([groups.of[parent] for parent in samples.parents])
  train = samples.split == 'train'
  centers = []
  for c in range(len(groups.names)):
    inside = train & (labels == c)
    # A group without training samples lies where all of them do.
    own = z[inside if inside.any() else train]
    centers.append(own.mean(axis=0, dtype=np.float64))
  return np.stack(centers), labels


def _reduced(
  reduction: Reduction, x: Array, samples: Samples
) -> tuple[Array, float | None]:
  """Samples in the space that is clustered, and their share of variance."""
  fitted = _components(reduction, x, samples)
  if fitted is None:
    return x[samples.row], None
  test = samples.of('test')
  explained = fitted.explained()
  z = cluster.coordinates(fitted, x)[samples.row]
  if reduction.fit == 'separate':
    # The mistake to show: test images in components of their own.
    x_test, q = x[samples.row[test]], z.shape[1]
    if q > len(test):
      raise UserError(
        f'--config.reduction.fit=separate needs {q} test images and there are'
        f' {len(test)}: choose a smaller --config.reduction.n_components.'
      )
    apart = cluster.coordinates(cluster.pca(x_test, q), x_test)
    z = jnp.asarray(z).at[test].set(apart)
  return z, explained


def _components(
  reduction: Reduction, x: Array, samples: Samples
) -> cluster.PCA | None:
  """Those of the training samples; None where nothing is reduced."""
  if reduction.method == 'none':
    return None
  train = samples.of('train')
  q = stages.components(
    reduction, len(train), x.shape[1], reduction.n_components
  )
  return cluster.pca(x, q, samples.row[train])


def coordinates(
  reduction: Reduction, x: Array, samples: Samples, others: Array
) -> np.ndarray:
  """Other images in the space that is clustered.

  Args:
    reduction: the settings.
    x: `[P, D]` features of all pictures.
    samples: of the fold.
    others: `[M, D]`.

  Returns:
    `[M, Q]`, in the components of the training samples.
  """
  fitted = _components(reduction, x, samples)
  return np.asarray(
    others if fitted is None else cluster.coordinates(fitted, others)
  )


def align(
  folds: Sequence[tuple[Samples, Clusters]],
) -> tuple[list[Clusters], list[float]]:
  """Gives the clusters of every fold the numbers of the first fold's.

  Numbers are matched one to one so that as many images as possible have the
  same one (Hungarian method). Each fold gives all images a cluster, those that
  it does not train on by its centroids; two folds may share no training image.
  Of files of features the images count that the first one has too.

  Args:
    folds: samples and clusters of each.

  Returns:
    The renumbered clusters, and how far each fold's agree with the first's: the
    adjusted Rand index over all images.

  Raises:
    UserError: if a fold has no image of the first.
  """
  reference = _of_images(*folds[0])
  renumbered, agreement = [], []
  for samples, clusters in folds:
    numbers = _of_images(samples, clusters)
    shared = [
      (own, reference[i]) for i, own in numbers.items() if i in reference
    ]
    if not shared:
      raise UserError(
        'Two files of features share no image (--config.data.files), but each'
        ' must be of one fold of the same images: write all rows into one file.'
      )
    pairs = np.array(shared)
    k = len(clusters.centers)
    new = matching.match(pairs[:, 1], pairs[:, 0], k)
    renumbered.append(clusters.renumbered(new))
    agreement.append(float(adjusted_rand_score(*pairs.T)))
  return renumbered, agreement


def _of_images(samples: Samples, clusters: Clusters) -> dict[str, int]:
  originals = np.flatnonzero(samples.is_original)
  return {samples.ids[i]: int(clusters.labels[i]) for i in originals}


def rejected(
  settings: Settings,
  x: Array,
  samples: Samples,
  chosen: Clusters,
  names: tuple[str, ...],
) -> Rejected:
  """The clusters of another number of components, beside those chosen.

  Wang 2023 clustered its chest X-rays without reduction and rejected 57
  components, which "could not provide meaningful clusters".

  Args:
    settings: of the study.
    x: `[P, D]`.
    samples: of the fold.
    chosen: clusters of the study.
    names: of the (positive, negative) class.

  Returns:
    Sizes and class mix of those clusters, and their adjusted Rand index with
    the chosen ones over the training images.
  """
  train = samples.of('train')
  fitted = cluster.pca(x, settings.reduction.rejected, samples.row[train])
  z = cluster.transform(fitted, x)[samples.row[train]]
  # The key of the first fold, which is the one that is shown.
  _, labels = _fitted(settings, z, np.ones(len(train)), 0)
  k = settings.cluster.k
  sizes = np.bincount(labels, minlength=k)
  return Rejected(
    n_components=settings.reduction.rejected,
    explained_variance=fitted.explained(),
    adjusted_rand=float(adjusted_rand_score(chosen.labels[train], labels)),
    clusters=tuple(
      RejectedCluster(
        i, int(sizes[i]), samples.class_counts(train[labels == i], names)
      )
      for i in range(k)
    ),
  )
