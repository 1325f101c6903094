"""A made-up cohort of fundus-like photographs with planted heterogeneity.

Three cameras photograph three sub-populations. They differ in looks (field of
view, tint, light, sharpness) and, what matters, in how the label shows: bright
exudates mean disease at site A and are harmless at site B, dark haemorrhages
the other way round, and at site C only a cataract's haze counts. A head trained
on one site is therefore wrong about the others, although one head can learn all
three. Two more cohorts have one camera and one meaning of the label for
everybody: their sub-populations are drawn at random and touch no pixel. In the
control the label is a small part of what differs between two images; in the
cohort `classes` it is the largest, so that clusters are the classes and one
rule holds for all. The cohort `five` has five classes instead of two, whose
signs change places between the cameras, and `five_control` is its control.

Every image is a pure function of the seed, its index, its site and its
label, so a larger cohort begins with the smaller one. Lengths are in half image
sides unless they are said to be in retina lengths (x right, y down, from the
middle of the retina).
"""

from collections.abc import Mapping
import functools
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFilter

from heterojax.datasets import made_up
from heterojax.datasets.manifest import csv_text

SUBPOPULATIONS = ('site_a', 'site_b', 'site_c')
LABELS = ('normal', 'disease')
FIVE = ('grade 0', 'grade 1', 'grade 2', 'grade 3', 'grade 4')


class Sign(NamedTuple):
  """What one label looks like at one site, on average."""

  exudates: int = 0  # Number of bright spots.
  haemorrhages: int = 0  # Number of dark blots.
  haze: float = 0.0  # Share of the light scattered by a clouded lens.


class Site(NamedTuple):
  """A camera, the people before it and the meaning of the label."""

  signs: Mapping[str, Sign]  # Of each label.
  tint: tuple[float, float, float]  # RGB of the lit retina, in [0, 1].
  flash: float  # Brightness of white, in [0, 1].
  radius: float  # Of the round field of view.
  cut: float  # Half height at which the field is cut flat.
  zoom: float  # Half image sides per retina length.
  vignette: float  # Share of light lost at the field's edge.
  vessels: float  # Optical density of a vessel in green light.
  blur: float  # Radius of the box over which a point is smeared.
  pigment: float = 0.2  # Spread of the people's pigmentation, in log units.
  mottle: float = 0.03  # Typical contrast of the choroid's mottling.


SITES = {
  'site_a': Site(
    signs={'normal': Sign(haemorrhages=18), 'disease': Sign(exudates=36)},
    tint=(0.86, 0.42, 0.17),
    flash=0.94,
    radius=0.94,
    cut=0.94,
    zoom=0.94,
    vignette=0.35,
    vessels=0.75,
    blur=0.004,
  ),
  'site_b': Site(
    signs={'normal': Sign(exudates=36), 'disease': Sign(haemorrhages=18)},
    tint=(0.70, 0.24, 0.11),
    flash=0.85,
    radius=0.98,
    cut=0.72,
    zoom=0.80,
    vignette=0.45,
    vessels=1.10,
    blur=0.004,
  ),
  'site_c': Site(
    signs={'normal': Sign(), 'disease': Sign(haze=0.6)},
    tint=(0.88, 0.62, 0.36),
    flash=0.95,
    radius=1.22,
    cut=1.00,
    zoom=1.25,
    vignette=0.20,
    vessels=0.55,
    blur=0.014,
  ),
}
# Both labels have both lesions here, and the people differ more: were the sign
# the largest difference between two images, clusters would be the labels and
# no head could be trained on one.
CONTROL_SITE = SITES['site_a']._replace(
  signs={
    'normal': Sign(exudates=12, haemorrhages=2),
    'disease': Sign(exudates=10, haemorrhages=14),
  },
  pigment=0.45,
  mottle=0.07,
)
# Haze veils everything that people differ in, so that here it is the largest
# difference.
CLASSES_SITE = SITES['site_a']._replace(
  signs={'normal': Sign(), 'disease': Sign(haze=0.6)}
)
_FIVE_SIGNS = (
  Sign(),
  Sign(exudates=36),
  Sign(haemorrhages=18),
  Sign(haze=0.6),
  Sign(exudates=30, haemorrhages=16),
)
# Which of them each class of five has at each site.
_PLACES = {
  'site_a': (0, 1, 2, 3, 4),
  'site_b': (1, 2, 3, 4, 0),
  'site_c': (3, 4, 0, 1, 2),
}
FIVE_SITES = {
  name: SITES[name]._replace(
    signs={label: _FIVE_SIGNS[i] for label, i in zip(FIVE, places, strict=True)}
  )
  for name, places in _PLACES.items()
}
FIVE_CONTROL = CONTROL_SITE._replace(
  signs={
    'grade 0': Sign(exudates=2, haemorrhages=2),
    'grade 1': Sign(exudates=26, haemorrhages=2),
    'grade 2': Sign(exudates=2, haemorrhages=14),
    'grade 3': Sign(exudates=2, haemorrhages=2, haze=0.2),
    'grade 4': Sign(exudates=26, haemorrhages=14),
  }
)
# Cohorts of one camera; their sub-populations are but names.
ONE_SITE = {
  'control': CONTROL_SITE,
  'classes': CLASSES_SITE,
  'five_control': FIVE_CONTROL,
}
COHORTS = ('planted', 'five', *ONE_SITE)


def site(cohort: str, subpopulation: str) -> Site:
  """The camera of a sub-population, and what labels mean there."""
  sites = FIVE_SITES if cohort == 'five' else SITES
  return ONE_SITE.get(cohort) or sites[subpopulation]


def labels(cohort: str) -> tuple[str, ...]:
  """The classes of a cohort, from the least."""
  return FIVE if cohort.startswith('five') else LABELS


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


def plan(num_images: int, seed: int, cohort: str) -> list[DemoImage]:
  """Names, labels, sub-populations and patients of a cohort's images.

  Images come in pairs, a right and a left eye of one label and sub-population:
  one patient, or two patients seen once. Three pairs in a row share a label and
  visit every sub-population once, so labels are balanced in each, and a longer
  plan begins with the shorter one.
  """
  images, names = [], labels(cohort)
  for index in range(num_images):
    trio, turn = divmod(index // 2, 3)
    if cohort in ONE_SITE:
      turn = _stream(seed, 'names', trio).permutation(3)[turn]
    twice = _stream(seed, 'patient', index // 2).random() < 0.5
    images.append(
      DemoImage(
        name=f'{index:04d}.png',
        label=names[trio % len(names)],
        subpopulation=SUBPOPULATIONS[turn],
        group=f'p{index // 2 * 2 if twice else index:04d}',
      )
    )
  return images


@functools.cache
def _grid(image_size: int) -> tuple[np.ndarray, np.ndarray]:
  """x [1, W] and y [H, 1] of the pixel centres, each in (-1, 1)."""
  line = (2 * np.arange(image_size, dtype=np.float32) + 1) / image_size - 1
  return line[None, :], line[:, None]


def _vessel_tree(
  rng: np.random.Generator, side: int, disc: np.ndarray
) -> list[tuple[np.ndarray, float]]:
  """Pieces of vessel, points [P, 2] and a width, in retina lengths.

  Trunks leave the disc [2] up and down, and the temporal ones (towards -side)
  arch around the macula. Branches fork off trunks and twigs off branches.
  """
  rise = np.array([1, 1, -1, -1, 1, 1, -1, -1])
  temporal = np.array([1, 1, 1, 1, 0, 0, 0, 0])
  heading = rise * (np.where(temporal, 1.75, 0.95) + rng.normal(0, 0.18, 8))
  bend = rise * (np.where(temporal, 1.5, -0.1) + rng.normal(0, 0.2, 8))
  if side < 0:
    heading, bend = np.pi - heading, -bend
  starts = disc + rng.normal(0, 0.015, (8, 2))
  width, length, steps = 0.036, 1.7, 16
  pieces = []
  for _ in range(3):
    wander = np.cumsum(rng.normal(0, 0.13, (len(starts), steps)), axis=1)
    turns = heading[:, None] + bend[:, None] * np.linspace(0, 1, steps) + wander
    strides = length / steps * np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    strides[:, 0] = 0
    paths = starts[:, None] + np.cumsum(strides, axis=1)
    widths = width * rng.uniform(0.7, 1.2, len(paths))
    for path, full in zip(paths, widths.tolist(), strict=True):
      pieces += [(path[:9], full), (path[8:], 0.7 * full)]
    # Two daughters each, one to either side.
    parent = np.repeat(np.arange(len(paths)), 2)
    at = rng.integers(3, 14, len(parent))
    fork = np.tile([1, -1], len(paths)) * rng.uniform(0.4, 0.9, len(parent))
    starts, heading = paths[parent, at], turns[parent, at] + fork
    bend, width, length = -0.5 * fork, 0.55 * width, 0.5 * length
  return pieces


def _blots(
  rng: np.random.Generator, mean: int, size: float, disc: np.ndarray
) -> np.ndarray:
  """Boxes [N, 4] (left, top, right, bottom) of blots, in retina lengths.

  About `mean` blots of radius about `size` in four patches, rather on the
  macula's side of the disc [2].
  """
  count = round(mean * rng.lognormal(0, 0.35))
  patches = -0.25 * disc + rng.normal(0, 0.33, (4, 2))
  centres = patches[rng.integers(0, 4, count)] + rng.normal(0, 0.15, (count, 2))
  radii = size * rng.lognormal(0, 0.35, (count, 1))
  radii = radii * rng.uniform(0.8, 1.2, (count, 2))
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

  They are the red, green and blue of one oversized canvas: drawn and averaged
  down together, and a blot hides the vessel beneath it.
  """
  canvas_size = image_size * _OVERSAMPLING
  scale = canvas_size / 2 * site.zoom
  middle = canvas_size / 2 * (1 + shift)
  canvas = Image.new('RGB', (canvas_size, canvas_size))
  pen = ImageDraw.Draw(canvas)
  for points, width in _vessel_tree(rng, side, disc):
    line = (middle + scale * points).ravel().tolist()
    pen.line(line, (255, 0, 0), max(1, round(scale * width)))
  exudates = _blots(rng, sign.exudates, 0.023, disc)
  haemorrhages = _blots(rng, sign.haemorrhages, 0.040, disc)
  for boxes, ink in ((exudates, (0, 255, 0)), (haemorrhages, (0, 0, 255))):
    for box in (scale * boxes + np.tile(middle, 2)).tolist():
      pen.ellipse(box, ink)
  shapes = np.asarray(canvas.reduce(_OVERSAMPLING)).transpose(2, 0, 1)
  return np.ascontiguousarray(shapes, np.float32) / 255


def _light(rng: np.random.Generator, site: Site, image_size: int) -> np.ndarray:
  """Light from a bare retina, [H, W]: leaning, dim at the edge, mottled."""
  x, y = _grid(image_size)
  level, lean_x, lean_y = rng.normal((1, 0, 0), 0.1).tolist()
  light = level * (1 + lean_x * x + lean_y * y)
  light -= site.vignette / site.radius**2 * (x**2 + y**2)
  mottle = rng.normal(0, site.mottle * rng.lognormal(0, 0.6), (22, 22))
  coarse = Image.fromarray(mottle.astype(np.float32))
  fine = coarse.resize((image_size, image_size), Image.Resampling.BICUBIC)
  return light + np.asarray(fine)


def _lay(
  colour: np.ndarray, share: np.ndarray | float, ink: np.ndarray
) -> np.ndarray:
  """Covers a share ([H, W] or one number) of colour [3, H, W] with ink."""
  return colour + share * (ink - colour)


def draw(
  seed: int, index: int, site: Site, label: str, image_size: int = 224
) -> np.ndarray:
  """Draws one photograph, uint8 [H, W, 3] RGB.

  The stream's last draws are the lesions, so another label or sign leaves the
  eye, its light and its vessels as they are.

  Args:
    seed: The cohort's seed.
    index: The image's number; even ones are right eyes.
    site: Camera and meaning of the label.
    label: one that the site has a sign for.
    image_size: H and W.
  """
  rng = _stream(seed, 'image', index)
  sign = site.signs[label]
  side = 1 - 2 * (index % 2)
  shift = rng.normal(0, 0.04, 2)
  disc = rng.normal((0.5 * side, 0), 0.06)
  disc_radius, cup = rng.uniform((0.13, 0.35), (0.18, 0.60)).tolist()
  haze = sign.haze * rng.uniform(0.6, 1.4) + rng.uniform(0, 0.12)
  blur = site.blur * rng.lognormal(0, 0.4) + 0.02 * haze

  # The bare retina, darker at the macula. A power of the tint is what pigment
  # does: more of it is darker and redder.
  x, y = _grid(image_size)
  u, v = (
    (p - s) / site.zoom for p, s in zip((x, y), shift.tolist(), strict=True)
  )
  tint = _ink(*site.tint) ** float(rng.lognormal(0, site.pigment))
  tint = tint * rng.normal(1, 0.03, (3, 1, 1)).astype(np.float32)
  macula = np.exp(-25 * (u + 0.2 * side) ** 2) * np.exp(-25 * (v - 0.05) ** 2)
  colour = tint * _light(rng, site, image_size) * (1 - 0.35 * macula)

  # The optic disc with its paler cup, then what lies upon the retina.
  disc_x, disc_y = disc.tolist()
  away = np.sqrt((u - disc_x) ** 2 + 0.8 * (v - disc_y) ** 2) / disc_radius
  pale = 0.7 * np.clip((1 - away) / 0.2, 0, 1)
  pale += 0.2 * np.clip((cup - away) / 0.2, 0, 1)
  shapes = _shapes(rng, site, sign, side, disc, shift, image_size)
  vessel, exudate, haemorrhage = shapes
  colour = _lay(colour, pale, site.flash * _DISC)
  colour *= 1 - vessel * (1 - np.exp(-site.vessels * _ABSORPTION))
  colour = _lay(colour, 0.8 * exudate, site.flash * _EXUDATE)
  colour = _lay(colour, 0.8 * haemorrhage, site.flash * _HAEMORRHAGE)

  # The optics: a clouded lens veils and blurs behind the camera's field stop.
  colour = _lay(colour, haze, site.flash * _VEIL)
  edge = np.minimum(site.radius - np.sqrt(x**2 + y**2), site.cut - np.abs(y))
  colour *= np.clip(edge * image_size / 4 + 0.5, 0, 1)
  pixels = (255 * np.clip(colour, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
  smear = ImageFilter.BoxBlur(blur * image_size / 2)
  return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).filter(smear))


def write_cohort(
  folder: pathlib.Path,
  *,
  num_images: int,
  seed: int,
  cohort: str,
  image_size: int = 224,
) -> pathlib.Path:
  """Draws a cohort's images and its CSV, and returns that one's path.

  Args:
    folder: see `made_up.write`.
    num_images: how many.
    seed: of the cohort.
    cohort: one of `COHORTS`.
    image_size: H and W.
  """
  images = plan(num_images, seed, cohort)
  text = csv_text(
    ['path', 'label', 'group', 'subpopulation'],
    [[f'images/{i.name}', i.label, i.group, i.subpopulation] for i in images],
  )

  def drawn(index: int) -> np.ndarray:
    image = images[index]
    own = site(cohort, image.subpopulation)
    return draw(seed, index, own, image.label, image_size)

  return made_up.write(folder, text, [i.name for i in images], drawn)
