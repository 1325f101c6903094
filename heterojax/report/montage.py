"""The training images nearest to each centroid: what a cluster looks like."""

import io
import pathlib
from typing import Any, NamedTuple

from matplotlib.figure import Figure
import numpy as np
from PIL import Image

from heterojax.datasets import images
from heterojax.report import drawing
from heterojax.studies.outcome import Outcome

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


def tiles(results: dict[str, Any], outcome: Outcome) -> list[list[Tile]]:
  """Up to `PER_CLUSTER` originals per cluster that look different."""
  samples, found = outcome.samples, outcome.clusters
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
      image, problem = _thumbnail(samples.pictures[row].path)
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


def _thumbnail(path: pathlib.Path) -> tuple[np.ndarray, str]:
  try:
    image = images.resize(images.decode(path), _SIDE, 'antialias')
  except images.UnreadableImage as error:
    return _MISSING, str(error)
  return np.clip(np.rint(image), 0, 255).astype(np.uint8), ''


def figure(results: dict[str, Any], montage: list[list[Tile]]) -> Figure:
  """One row of images per cluster."""
  rows = len(montage)
  drawn = Figure((drawing.WIDTH, 1.75 * rows), layout='constrained')
  grid = drawn.subplots(rows, PER_CLUSTER, squeeze=False)
  for cluster, row, line in zip(results['clusters'], montage, grid):
    for axes in line:
      axes.set(xticks=[], yticks=[])
      axes.spines[:].set_visible(False)
    line[0].set_ylabel(f'Cluster {cluster["id"]}', fontweight='bold')
    for axes, tile in zip(line, row):
      axes.imshow(tile.image)
      label, name = (drawing.clipped(t, 20) for t in (tile.label, tile.name))
      axes.set_xlabel(f'{label}\n{name}', fontsize=7.5)
      if tile.problem:
        axes.text(
            _SIDE / 2, _SIDE / 2, 'cannot be\nshown', ha='center',
            va='center', fontsize=7.5,
        )  # pyformat: disable
  return drawn


def draw(results: dict[str, Any], montage: list[list[Tile]]) -> bytes:
  """The montage as PNG."""
  with drawing.style():
    return drawing.encoded(figure(results, montage), 'png')
