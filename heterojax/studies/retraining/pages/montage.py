"""The training images nearest to each centroid: what a cluster looks like."""

import io
from typing import Any
from typing import NamedTuple

from matplotlib.figure import Figure
import numpy as np
from PIL import Image

from heterojax.datasets import images
from heterojax.datasets.sources import ImageSource
from heterojax.datasets.sources import Source
from heterojax.report import drawing
from heterojax.studies.retraining.outcome import Fold

PER_CLUSTER = 6
_SIDE = 128  # Pixels.
_MISSING = np.full((_SIDE, _SIDE, 3), 200, np.uint8)


class Tile(NamedTuple):
  """One image of the montage.

  Attributes:
    image: `[S, S, 3]` uint8, gray where the file cannot be read any more.
    name: id of the sample.
    label: name of its class.
    problem: why it cannot be shown; '' if it can.
  """

  image: np.ndarray
  name: str
  label: str
  problem: str

  @property
  def jpeg(self) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(self.image).save(buffer, 'JPEG', quality=85)
    return buffer.getvalue()


def tiles(
  results: dict[str, Any], fold: Fold, source: Source
) -> list[list[Tile]]:
  """Up to `PER_CLUSTER` originals per cluster that look different.

  Args:
    results: `results.json`.
    fold: the one that is shown.
    source: of the images.

  Returns:
    A row per cluster; none where the source has no images.
  """
  if not hasattr(source, 'read'):
    return []
  samples, found = fold.samples, fold.clusters
  train = samples.of('train')
  originals = train[samples.is_original[train]]
  names = (results['dataset']['negative'], results['dataset']['positive'])
  montage = []
  for cluster in results['clusters']:
    own = originals[found.labels[originals] == cluster['id']]
    nearest = own[np.argsort(found.distance[own], kind='stable')]
    chosen: list[Tile] = []
    seen: set[object] = set()
    for i in nearest:
      row = int(samples.row[i])
      if row in seen:
        continue
      image, problem = _thumbnail(source, samples.pictures[row].path)
      # The same picture may lie in two files.
      content = image.tobytes() if not problem else row
      if content not in seen:
        name = samples.ids[i]
        chosen.append(Tile(image, name, names[int(samples.y[i])], problem))
      seen |= {row, content}
      if len(chosen) == PER_CLUSTER:
        break
    montage.append(chosen)
  return montage


def _thumbnail(source: ImageSource, path: str) -> tuple[np.ndarray, str]:
  try:
    image = images.decode(source.read(path))
    image = images.resize(image, _SIDE, 'antialias')
  except images.UnreadableImage as error:
    return _MISSING, str(error)
  return np.clip(np.rint(image), 0, 255).astype(np.uint8), ''


def figure(results: dict[str, Any], montage: list[list[Tile]]) -> Figure:
  """One row of images per cluster."""
  rows = len(montage)
  drawn = Figure((drawing.WIDTH, 1.75 * rows), layout='constrained')
  grid = drawn.subplots(rows, PER_CLUSTER, squeeze=False)
  for cluster, row, line in zip(
    results['clusters'], montage, grid, strict=True
  ):
    for axes in line:
      axes.set(xticks=[], yticks=[])
      axes.spines[:].set_visible(False)
    usual = usual_label(row)
    line[0].set_ylabel(
      f'Cluster {cluster["id"]}\n{drawing.clipped(usual, 20)}',
      fontweight='bold',
    )
    # A small cluster leaves places empty.
    for axes, tile in zip(line, row, strict=False):
      axes.imshow(tile.image)
      text = drawing.clipped(tile.name, 20)
      if tile.label != usual:
        text += f'\n{drawing.clipped(tile.label, 20)}'
      axes.set_xlabel(text, fontsize=7.5)
      if tile.problem:
        axes.text(
          _SIDE / 2,
          _SIDE / 2,
          'cannot be\nshown',
          ha='center',
          va='center',
          fontsize=7.5,
        )
  return drawn


def usual_label(row: list[Tile]) -> str:
  """The class of most tiles of a cluster; '' without any."""
  labels = [tile.label for tile in row]
  return max(labels, key=labels.count, default='')


def draw(results: dict[str, Any], montage: list[list[Tile]]) -> bytes:
  """The montage as PNG."""
  with drawing.style():
    return drawing.encoded(figure(results, montage), 'png')
