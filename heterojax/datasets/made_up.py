"""Writing a made-up cohort: images, and the table that completes it."""

from collections.abc import Callable, Sequence
import concurrent.futures
import pathlib

import numpy as np
from PIL import Image

from heterojax.compute import quota
from heterojax.datasets import images
from heterojax.run import atomic
from heterojax.run import links
from heterojax.run import run_folder

_DIGESTS = 'digests.json'


def write(
  folder: pathlib.Path,
  text: str,
  names: Sequence[str],
  drawn: Callable[[int], np.ndarray],
) -> pathlib.Path:
  """Writes `images/` and `cohort.csv`, and returns the path of the latter.

  The CSV is written last and at once, so its presence means that the cohort is
  complete. A complete cohort of the same content is left as it is; digests of
  the images, in `digests.json`, tell whether it is one.

  Args:
    folder: of the cohort.
    text: the CSV.
    names: of the image files.
    drawn: gives the pixels of the image of a number, in any thread.
  """
  table = folder / 'cohort.csv'
  # Seed, size and version of the drawing hardly show in the table, but they do
  # in any one image; hence also a lossless format.
  if (
    table.is_file()
    and table.read_bytes() == text.encode()
    and _unchanged(folder, names)
    and (not names or _holds(folder / 'images' / names[0], drawn(0)))
  ):
    return table
  table.unlink(missing_ok=True)
  (folder / 'images').mkdir(parents=True, exist_ok=True)

  def save(index: int, name: str) -> None:
    # Level 1 takes a third of the default level's time for a fifth more bytes.
    path = folder / 'images' / name
    with links.named(path):
      Image.fromarray(drawn(index)).save(path, compress_level=1)

  with concurrent.futures.ThreadPoolExecutor(quota.number()) as pool:
    list(pool.map(save, range(len(names)), names))
  atomic.write(folder / _DIGESTS, run_folder.to_json(_digests(folder, names)))
  atomic.write(table, text)
  return table


def _digests(folder: pathlib.Path, names: Sequence[str]) -> dict[str, str]:
  paths = [folder / 'images' / name for name in names]
  return {path.name: images.digest(path.read_bytes()) for path in paths}


def _unchanged(folder: pathlib.Path, names: Sequence[str]) -> bool:
  """Whether all images are those that were written."""
  try:
    stored = (folder / _DIGESTS).read_bytes()
    return stored == run_folder.to_json(_digests(folder, names)).encode()
  except OSError:
    return False


def _holds(path: pathlib.Path, pixels: np.ndarray) -> bool:
  """Whether an image file is there and has these pixels."""
  try:
    # Of other formats some run a program, as EPS does.
    with Image.open(path, formats=['PNG']) as image:
      return image.size == pixels.shape[1::-1] and np.array_equal(
        np.asarray(image), pixels
      )
  except (OSError, ValueError, Image.DecompressionBombError):
    return False
