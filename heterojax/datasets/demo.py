"""A made-up cohort of fundus-like photographs with planted heterogeneity.

Three cameras photograph three sub-populations. They differ in looks (field of
view, tint, light, sharpness) and, what matters, in how the label shows: bright
exudates mean disease at site A and are harmless at site B, dark haemorrhages
the other way round, and at site C a cataract's haze is what counts. A head
trained on one site alone is therefore wrong about the others, although one head
can learn all three.

The control cohort has the same labels and names, but one camera and one meaning
of the label for everybody: the names are drawn at random and touch no pixel.

Every image is a pure function of the seed, its own index, its site and its
label, so that a larger cohort begins with the smaller one.
"""

import csv
import functools
import io
import os
import pathlib
import tempfile
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SUBPOPULATIONS = ('site_a', 'site_b', 'site_c')
LABELS = ('normal', 'disease')


class Sign(NamedTuple):
  """What one label looks like at one site."""

  exudates: int = 0  # Mean number of bright spots.
  haemorrhages: int = 0  # Mean number of dark blots.
  haze: float = 0.0  # Share of the light scattered by a clouded lens.


class Site(NamedTuple):
  """A camera and the meaning of the label; lengths in half image sides."""

  normal: Sign
  disease: Sign
  tint: tuple[float, float, float]  # RGB of the lit retina, in [0, 1].
  pigment: float  # Spread of the patients' pigmentation, in log units.
  radius: float  # Of the field of view.
  cut: float  # Half height at which the field is cut flat.
  zoom: float  # Image lengths per retina length.
  flash: float  # Brightness of white, in [0, 1].
  vignette: float  # Light lost at the edge of the field, as a share.
  vessels: float  # Optical density of a vessel in green light.
  blur: float  # Standard deviation.
  mottle: float = 0.05


SITES = {
  'site_a': Site(
    normal=Sign(haemorrhages=18),
    disease=Sign(exudates=36),
    tint=(0.86, 0.42, 0.17),
    pigment=0.2,
    radius=0.94,
    cut=0.94,
    zoom=0.94,
    flash=0.94,
    vignette=0.35,
    vessels=0.75,
    blur=0.003,
  ),
  'site_b': Site(
    normal=Sign(exudates=36),
    disease=Sign(haemorrhages=18),
    tint=(0.70, 0.24, 0.11),
    pigment=0.2,
    radius=0.98,
    cut=0.72,
    zoom=0.80,
    flash=0.85,
    vignette=0.45,
    vessels=1.10,
    blur=0.003,
  ),
  'site_c': Site(
    normal=Sign(),
    disease=Sign(haze=0.6),
    tint=(0.88, 0.62, 0.36),
    pigment=0.2,
    radius=1.22,
    cut=1.00,
    zoom=1.25,
    flash=0.95,
    vignette=0.20,
    vessels=0.55,
    blur=0.008,
  ),
}
CONTROL_SITE = SITES['site_a']


def _ink(red: float, green: float, blue: float) -> np.ndarray:
  """A colour [3, 1, 1], channels first: numpy is slow on short last axes."""
  return np.array([red, green, blue], np.float32)[:, None, None]


_EXUDATE = _ink(0.98, 0.90, 0.58)
_HAEMORRHAGE = _ink(0.30, 0.05, 0.03)
_DISC = _ink(0.98, 0.80, 0.50)
_VEIL = _ink(0.62, 0.56, 0.46)
# Blood absorbs green and blue far more than red.
_ABSORPTION = _ink(0.45, 1.0, 0.8)
# Shapes are drawn this many times larger and averaged down: smooth edges.
_OVERSAMPLING = 2
MSD, MG = 0.5, 9


class DemoImage(NamedTuple):
  """One planned image."""

  name: str  # File name.
  label: str
  subpopulation: str
  group: str  # The made-up patient.


def _stream(seed: int, purpose: str, index: int) -> np.random.Generator:
  """An independent random stream for each purpose and index."""
  words = [seed, int.from_bytes(purpose.encode(), 'big'), index]
  return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def plan(num_images: int, seed: int, control: bool) -> list[DemoImage]:
  """Names, labels, sub-populations and patients of a cohort's images.

  Images come in pairs, a right and a left eye of one label and sub-population:
  one patient, or two patients seen once. Three pairs in a row share a label and
  visit every sub-population once, so both are balanced, and a longer plan
  begins with the shorter one.
  """
  images = []
  for index in range(num_images):
    pair = index // 2
    trio, turn = divmod(pair, 3)
    order = np.arange(3)
    if control:
      order = _stream(seed, 'names', trio).permutation(3)
    twice = _stream(seed, 'patient', pair).random() < 0.5
    images.append(
      DemoImage(
        name=f'{index:04d}.png',
        label=LABELS[trio % 2],
        subpopulation=SUBPOPULATIONS[order[turn]],
        group=f'p{2 * pair if twice else index:04d}',
      )
    )
  return images


@functools.cache
def _grid(image_size: int) -> tuple[np.ndarray, np.ndarray]:
  """x [1, W] and y [H, 1] of the pixel centres, in half image sides."""
  line = (2 * np.arange(image_size, dtype=np.float32) + 1) / image_size - 1
  return line[None, :], line[:, None]


def _grow(
  rng: np.random.Generator,
  starts: np.ndarray,
  headings: np.ndarray,
  bends: np.ndarray,
  length: float,
) -> tuple[np.ndarray, np.ndarray]:
  """Vessel paths [V, 16, 2] and their headings [V, 16] from starts [V, 2]."""
  steps = 16
  wander = np.cumsum(rng.normal(0, 0.13, (len(starts), steps)), axis=1)
  turn = headings[:, None] + bends[:, None] * np.linspace(0, 1, steps) + wander
  stride = length / steps * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
  stride[:, 0] = 0
  return starts[:, None] + np.cumsum(stride, axis=1), turn


def _vessel_tree(
  rng: np.random.Generator, side: int, disc: np.ndarray
) -> list[tuple[np.ndarray, float]]:
  """Pieces of vessel: points [P, 2] and width, in retina lengths.

  The trunks leave the disc up and down; the temporal ones (towards -side) arch
  around the macula. Branches fork off trunks and twigs off branches.
  """
  rise = np.array([1, 1, -1, -1, 1, 1, -1, -1])
  temporal = np.array([1, 1, 1, 1, 0, 0, 0, 0])
  angle = np.where(temporal, 1.75, 0.95) + rng.normal(0, 0.18, 8)
  bend = np.where(temporal, 1.5, -0.1) + rng.normal(0, 0.2, 8)
  heading, bend = rise * angle, rise * bend
  if side < 0:
    heading, bend = np.pi - heading, -bend
  starts = disc + rng.normal(0, 0.015, (8, 2))
  width, length = 0.036, 1.7
  pieces = []
  for _ in range(3):
    paths, turns = _grow(rng, starts, heading, bend, length)
    widths = width * rng.uniform(0.7, 1.2, len(paths))
    for path, full in zip(paths, widths, strict=True):
      pieces += [(path[:9], full), (path[8:], 0.7 * full)]
    # Two daughters each, one to either side.
    parent = np.repeat(np.arange(len(paths)), 2)
    at = rng.integers(3, 14, len(parent))
    fork = np.tile([1, -1], len(paths)) * rng.uniform(0.4, 0.9, len(parent))
    starts = paths[parent, at]
    heading = turns[parent, at] + fork
    bend = -0.5 * fork
    width, length = 0.55 * width, 0.5 * length
  return pieces


def _blots(
  rng: np.random.Generator, mean: int, disc: np.ndarray, size: float
) -> np.ndarray:
  """Boxes [N, 4] (left, top, right, bottom) of a few clusters of blots."""
  count = round(mean * rng.lognormal(0, 0.35))
  middles = np.array([-0.25, 1]) * disc + rng.normal(0, 0.33, (4, 2))
  centres = middles[rng.integers(0, 4, count)] + rng.normal(0, 0.15, (count, 2))
  radii = size * rng.lognormal(0, 0.35, (count, 1)) * rng.uniform(
    0.8, 1.2, (count, 2)
  )
  return np.concatenate([centres - radii, centres + radii], axis=1)


def _shapes(
  rng: np.random.Generator,
  site: Site,
  sign: Sign,
  side: int,
  disc: np.ndarray,
  shift: np.ndarray,
  image_size: int,
) -> np.ndarray:
  """Coverage of vessels, exudates and haemorrhages, [3, H, W] in [0, 1].

  They are the red, green and blue of one oversized canvas, so that they are
  drawn and averaged down together, and a blot hides the vessel beneath it.
  """
  canvas_size = image_size * _OVERSAMPLING
  scale = canvas_size / 2 * site.zoom
  middle = canvas_size / 2 * (1 + shift)
  canvas = Image.new('RGB', (canvas_size, canvas_size))
  pen = ImageDraw.Draw(canvas)
  for points, width in _vessel_tree(rng, side, disc):
    line = (middle + scale * points).ravel().tolist()
    pen.line(line, (255, 0, 0), max(1, round(scale * width)))
  exudates = _blots(rng, sign.exudates, disc, 0.023)
  haemorrhages = _blots(rng, sign.haemorrhages, disc, 0.040)
  for blots, ink in ((exudates, (0, 255, 0)), (haemorrhages, (0, 0, 255))):
    for box in (scale * blots + np.tile(middle, 2)).tolist():
      pen.ellipse(box, ink)
  shapes = np.asarray(canvas.reduce(_OVERSAMPLING)).transpose(2, 0, 1)
  return np.ascontiguousarray(shapes, np.float32) / 255


def _light(
  rng: np.random.Generator, site: Site, image_size: int
) -> np.ndarray:
  """Light from a bare retina, [H, W]: leaning, dim at the edge, mottled."""
  x, y = _grid(image_size)
  level, lean_x, lean_y = rng.normal((1, 0, 0), (0.10, 0.10, 0.10)).tolist()
  light = level * (1 + lean_x * x + lean_y * y)
  light -= site.vignette / site.radius**2 * (x**2 + y**2)
  mottle = rng.normal(0, site.mottle * rng.lognormal(0, MSD), (MG, MG)).astype(np.float32)
  size = (image_size, image_size)
  return light + np.asarray(
    Image.fromarray(mottle).resize(size, Image.Resampling.BICUBIC)
  )


def _lay(
  colour: np.ndarray, share: np.ndarray | float, ink: np.ndarray
) -> np.ndarray:
  """Lays ink [3, 1, 1] over colour [3, H, W] where share [H, W] says so."""
  return colour + share * (ink - colour)


def draw(
  seed: int, index: int, site: Site, label: str, image_size: int = 224
) -> np.ndarray:
  """Draws one photograph, uint8 [H, W, 3] RGB.

  Args:
    seed: The cohort's seed.
    index: The image's number; even ones are right eyes.
    site: Camera and meaning of the label.
    label: 'normal' or 'disease'.
    image_size: H and W.
  """
  rng = _stream(seed, 'image', index)
  sign = site.disease if label == 'disease' else site.normal
  side = 1 - 2 * (index % 2)
  shift = rng.normal(0, 0.04, 2)
  disc = rng.normal((0.5 * side, 0), 0.06)

  # The bare retina, darker at the macula.
  x, y = _grid(image_size)
  u, v = ((p - s) / site.zoom for p, s in zip((x, y), shift.tolist()))
  # A power of the tint: more pigment makes the retina darker and redder.
  tint = _ink(*site.tint) ** float(rng.lognormal(0, site.pigment))
  tint = tint * rng.normal(1, 0.03, (3, 1, 1)).astype(np.float32)
  macula = np.exp(-((u + 0.2 * side) ** 2) / 0.04)
  macula = macula * np.exp(-((v - 0.05) ** 2) / 0.04)
  colour = tint * _light(rng, site, image_size) * (1 - 0.35 * macula)

  # The optic disc with its cup, then what lies upon the retina.
  disc_x, disc_y = disc.tolist()
  away = np.sqrt((u - disc_x) ** 2 + 0.8 * (v - disc_y) ** 2)
  away /= rng.uniform(0.13, 0.18)
  pale = 0.7 * np.clip((1 - away) / 0.2, 0, 1)
  pale += 0.2 * np.clip((rng.uniform(0.35, 0.6) - away) / 0.2, 0, 1)
  shapes = _shapes(rng, site, sign, side, disc, shift, image_size)
  vessel, exudate, haemorrhage = shapes
  colour = _lay(colour, pale, site.flash * _DISC)
  colour *= 1 - vessel * (1 - np.exp(-site.vessels * _ABSORPTION))
  colour = _lay(colour, 0.8 * exudate, site.flash * _EXUDATE)
  colour = _lay(colour, 0.8 * haemorrhage, site.flash * _HAEMORRHAGE)

  # The optics: a clouded lens veils and blurs, then the camera's field stop.
  haze = sign.haze * rng.uniform(0.6, 1.4) + rng.uniform(0, 0.12)
  colour = _lay(colour, haze, site.flash * _VEIL)
  edge = np.minimum(site.radius - np.sqrt(x**2 + y**2), site.cut - np.abs(y))
  colour *= np.clip(edge * image_size / 4 + 0.5, 0, 1)
  pixels = (255 * np.clip(colour, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
  blur = site.blur * rng.lognormal(0, 0.4) + 0.012 * haze
  photograph = Image.fromarray(np.ascontiguousarray(pixels))
  return np.asarray(
    photograph.filter(ImageFilter.GaussianBlur(blur * image_size / 2))
  )


def write_cohort(
  folder: pathlib.Path,
  *,
  num_images: int,
  seed: int,
  control: bool,
  image_size: int = 224,
) -> pathlib.Path:
  """Draws a cohort's images and its `cohort.csv`, and returns the CSV's path.

  The CSV is written last and at once, so its presence means that the cohort is
  complete; one of the same content is left as it is.
  """
  images = plan(num_images, seed, control)
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(['path', 'label', 'group', 'subpopulation'])
  for image in images:
    path = f'images/{image.name}'
    writer.writerow([path, image.label, image.group, image.subpopulation])
  table = folder / 'cohort.csv'
  if table.is_file() and table.read_text() == text.getvalue():
    return table
  table.unlink(missing_ok=True)
  (folder / 'images').mkdir(parents=True, exist_ok=True)
  for index, image in enumerate(images):
    site = CONTROL_SITE if control else SITES[image.subpopulation]
    pixels = draw(seed, index, site, image.label, image_size)
    path = folder / 'images' / image.name
    Image.fromarray(pixels).save(path, compress_level=1)
  with tempfile.NamedTemporaryFile('w', dir=folder, delete=False) as temporary:
    temporary.write(text.getvalue())
  os.replace(temporary.name, table)
  return table
