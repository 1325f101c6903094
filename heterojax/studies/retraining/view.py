"""What the figures of a retraining study show besides its results.

All of it is of one fold, the first where there are several. Axes: N samples, A
audited images, M tiles of S by S pixels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from heterojax import cluster
from heterojax.datasets import images
from heterojax.datasets.sources import ImageSource
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

TILES_PER_CLUSTER = 6
SIDE = 128  # Pixels.
_MISSING = np.full((SIDE, SIDE, 3), 200, np.uint8)


class View(NamedTuple):
  """Arrays for figures, as `report.views` keeps them.

  Attributes:
    points: `[N, 2]` samples in the two directions of most variance.
    split: `[N]` str, the part of each.
    y: `[N]` int, the code of its class, see `Cohort.codes`.
    labels: `[N]` int, its cluster.
    wrong: `[N]` bool, whether the head of all images is wrong about it.
    audited: `[A]` str, ids of the training images that the audit of columns
      saw: each picture once and no copies.
    audited_labels: `[A]` int, the cluster of each.
    has_images: `[]` bool; without images there are no tiles.
    tile_images: `[M, S, S, 3]` uint8, gray where a file cannot be read.
    tile_wrong: `[M]` bool, whether one is shown because the head of all images
      is wrong about it, else because it is near its centroid.
    tile_answers: `[M]` int, the code of the class that this head answers.
    tile_shares: `[M]` float, the probability that it gives to that class.
    tile_labels: `[M]` int, the cluster of each.
    tile_y: `[M]` int, the code of its class.
    tile_names: `[M]` str, ids of the samples.
    tile_problems: `[M]` str, why one cannot be shown; '' where it can.
  """

  points: np.ndarray
  split: np.ndarray
  y: np.ndarray
  labels: np.ndarray
  wrong: np.ndarray
  audited: np.ndarray
  audited_labels: np.ndarray
  has_images: np.ndarray
  tile_images: np.ndarray
  tile_wrong: np.ndarray
  tile_answers: np.ndarray
  tile_shares: np.ndarray
  tile_labels: np.ndarray
  tile_y: np.ndarray
  tile_names: np.ndarray
  tile_problems: np.ndarray


class _Tile(NamedTuple):
  """A sample of a cluster, and its picture or why there is none."""

  position: int
  image: np.ndarray
  problem: str


def view(settings: Settings, outcome: Outcome) -> View:
  """What figures need of a finished study.

  Args:
    settings: of the study.
    outcome: of the study; its images are read once more.

  Returns:
    The arrays.
  """
  fold = outcome.folds[0]
  samples, labels = fold.samples, fold.clusters.labels
  _, first = np.unique(samples.row, return_index=True)
  held = samples.is_original & (samples.split == 'train')
  audited = [i for i in np.sort(first) if held[i]]
  answers, shares = _answers(fold)
  central, wrong, source = [], [], outcome.source
  if isinstance(source, ImageSource):
    for c in range(settings.cluster.k):
      inside = samples.is_original & (labels == c)
      near = np.flatnonzero(inside & (samples.split == 'train'))
      near = near[np.argsort(fold.clusters.distance[near], kind='stable')]
      failed = np.flatnonzero(inside & (samples.split == 'test') & fold.wrong)
      failed = failed[np.argsort(-shares[failed], kind='stable')]
      central += _tiles(samples, source, near, settings.data.range)
      wrong += _tiles(samples, source, failed, settings.data.range)
  tiles = central + wrong
  shown = np.array([tile.position for tile in tiles], int)
  ids = np.array(samples.ids)
  return View(
    points=_plane(settings, fold),
    split=samples.split,
    y=samples.y,
    labels=labels,
    wrong=fold.wrong,
    audited=ids[audited],
    audited_labels=labels[audited],
    has_images=np.array(isinstance(source, ImageSource)),
    tile_images=np.array([t.image for t in tiles], np.uint8).reshape(
      -1, SIDE, SIDE, 3
    ),
    tile_wrong=np.arange(len(tiles)) >= len(central),
    tile_answers=answers[shown],
    tile_shares=shares[shown],
    tile_labels=labels[shown],
    tile_y=samples.y[shown],
    tile_names=ids[shown],
    tile_problems=np.array([t.problem for t in tiles], str),
  )


def _plane(settings: Settings, fold: Fold) -> np.ndarray:
  """First two principal components of the samples, `[N, 2]`."""
  z = fold.clusters.z
  if settings.reduction.method != 'pca':
    train = fold.samples.of('train')
    fitted = cluster.pca(z[train], min(2, len(train), z.shape[1]))
    z = np.asarray(cluster.transform(fitted, z))
  points = np.zeros((len(z), 2))
  points[:, : min(2, z.shape[1])] = z[:, :2]
  return points


def _answers(fold: Fold) -> tuple[np.ndarray, np.ndarray]:
  """`[N]` codes that the head of all images answers, `[N]` how surely."""
  answers, given = fold.answers(), fold.overall()
  if given.ndim == 1:
    return answers, np.where(answers == 1, given, 1 - given)
  return answers, np.take_along_axis(given, answers[:, None], 1)[:, 0]


def _tiles(
  samples: Samples, source: ImageSource, order: np.ndarray, levels: images.Range
) -> Iterator[_Tile]:
  """The first samples of an order that look different."""
  seen: set[object] = set()
  shown = 0
  for i in order:
    row = int(samples.row[i])
    if row in seen:
      continue
    image, problem = _thumbnail(source, samples.pictures[row].path, levels)
    # The same picture may lie in two files.
    content = image.tobytes() if not problem else row
    if content not in seen:
      yield _Tile(int(i), image, problem)
      shown += 1
    seen |= {row, content}
    if shown == TILES_PER_CLUSTER:
      return


def _thumbnail(
  source: ImageSource, path: str, levels: images.Range
) -> tuple[np.ndarray, str]:
  try:
    image = images.decode(source.read(path), levels)
    image = images.resize(image, SIDE, 'antialias')
  except images.UnreadableImage as error:
    return _MISSING, str(error)
  return np.clip(np.rint(image), 0, 255).astype(np.uint8), ''
