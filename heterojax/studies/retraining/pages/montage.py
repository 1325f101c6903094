"""What a cluster looks like: its central images, and those answered wrongly."""

from collections.abc import Sequence
import io
from typing import NamedTuple

from matplotlib.figure import Figure
import numpy as np
from PIL import Image

from heterojax.report import drawing
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import SIDE
from heterojax.studies.retraining.view import TILES_PER_CLUSTER
from heterojax.studies.retraining.view import View


class Tile(NamedTuple):
  """One image.

  Attributes:
    image: `[S, S, 3]` uint8, gray where the file cannot be read.
    name: id of the sample.
    label: name of its class.
    problem: why it cannot be shown; '' if it can.
    answer: name of the class that the head of all images answers.
    share: the probability that it gives to that class.
  """

  image: np.ndarray
  name: str
  label: str
  problem: str
  answer: str
  share: float

  @property
  def jpeg(self) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(self.image).save(buffer, 'JPEG', quality=85)
    return buffer.getvalue()


def central(results: Results, view: View) -> list[list[Tile]]:
  """Training images near the centroid of each cluster."""
  return _rows(results, view, ~view.tile_wrong)


def wrong(results: Results, view: View) -> list[list[Tile]]:
  """Test images of each cluster that are answered wrongly, the surest first."""
  return _rows(results, view, view.tile_wrong)


def _rows(results: Results, view: View, chosen: np.ndarray) -> list[list[Tile]]:
  """The tiles of each cluster; none of any where there are no images."""
  if not view.has_images:
    return []
  by_code = results.classes.names[::-1]
  tiles = [
    Tile(
      image,
      str(name),
      by_code[int(y)],
      str(problem),
      by_code[int(answer)],
      float(share),
    )
    for image, name, y, problem, answer, share in zip(
      view.tile_images,
      view.tile_names,
      view.tile_y,
      view.tile_problems,
      view.tile_answers,
      view.tile_shares,
      strict=True,
    )
  ]
  return [
    [tiles[i] for i in np.flatnonzero(chosen & (view.tile_labels == c.id))]
    for c in results.clusters
  ]


def usual_label(row: Sequence[Tile]) -> str:
  """The class of most tiles of a cluster; '' without any."""
  labels = [tile.label for tile in row]
  return max(labels, key=labels.count, default='')


def figure(results: Results, montage: Sequence[Sequence[Tile]]) -> Figure:
  """One row of images per cluster."""
  drawn = Figure((drawing.WIDTH, 1.75 * len(montage)), layout='constrained')
  grid = drawn.subplots(len(montage), TILES_PER_CLUSTER, squeeze=False)
  for cluster, row, line in zip(results.clusters, montage, grid, strict=True):
    for axes in line:
      axes.set(xticks=[], yticks=[])
      axes.spines[:].set_visible(False)
    usual = usual_label(row)
    line[0].set_ylabel(
      f'Cluster {cluster.id}\n{drawing.clipped(usual, 20)}', fontweight='bold'
    )
    for axes, tile in zip(line, row, strict=False):
      axes.imshow(tile.image)
      text = drawing.clipped(tile.name, 20)
      if tile.label != usual:
        text += f'\n{drawing.clipped(tile.label, 20)}'
      axes.set_xlabel(text, fontsize=7.5)
      if tile.problem:
        axes.text(
          SIDE / 2,
          SIDE / 2,
          'cannot be\nshown',
          ha='center',
          va='center',
          fontsize=7.5,
        )
  return drawn
