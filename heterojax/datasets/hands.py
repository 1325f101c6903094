"""Made-up hand radiographs whose geometry, not brightness, tells the bone age.

As a hand matures, wrist bones appear one after another and grow, the cap of
every finger bone (its epiphysis) appears, widens and at last joins the shaft,
and the bones grow longer for their width. How dark a radiograph is, how the
hand lies and how large it is have nothing to do with age: every image is scaled
to a mean brightness that is drawn by itself.

Every image is a pure function of the seed, its index, its patient and its
age, so a larger cohort begins with the smaller one. Lengths are in half image
sides (x right, y down, from the middle of the palm); ages in months. The order
in which bones appear follows Greulich and Pyle's atlas roughly.
"""

import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFilter

from heterojax import rng
from heterojax.datasets import made_up
from heterojax.datasets.manifest import csv_text

OLDEST = 228
# Rays from the thumb to the little finger: where each begins at the wrist, its
# angle to the middle finger in degrees, and the lengths of its bones.
_ORIGIN = np.array([
  (-0.20, 0.36),
  (-0.14, 0.22),
  (-0.04, 0.20),
  (0.06, 0.22),
  (0.15, 0.25),
])
_ANGLE = np.array([-46.0, -12.0, -1.0, 9.0, 20.0])
_LENGTHS = (
  (0.30, 0.22, 0.17),
  (0.40, 0.27, 0.16, 0.12),
  (0.40, 0.30, 0.19, 0.13),
  (0.36, 0.28, 0.18, 0.13),
  (0.33, 0.22, 0.13, 0.11),
)
_RAY = np.array([ray for ray, lengths in enumerate(_LENGTHS) for _ in lengths])
_ORDER = np.array([
  order for lengths in _LENGTHS for order, _ in enumerate(lengths)
])
_WIDTH = np.array([0.055, 0.046, 0.038, 0.032])[_ORDER]  # Half, at the base.
# Radius and ulna: where they end at the wrist, and half their width.
_FOREARM = np.array([(-0.10, 0.66), (0.12, 0.63)])
_FOREARM_WIDTH = np.array([0.105, 0.065])
# Wrist bones: place, half axes and the month of their appearance.
_CARPALS = np.array([
  (0.00, 0.33, 0.060, 0.075, 2),  # Capitate.
  (0.10, 0.35, 0.055, 0.065, 3),  # Hamate.
  (0.15, 0.45, 0.045, 0.045, 27),  # Triquetrum.
  (0.04, 0.49, 0.055, 0.045, 40),  # Lunate.
  (-0.15, 0.40, 0.045, 0.045, 55),  # Trapezium.
  (-0.09, 0.32, 0.038, 0.045, 62),  # Trapezoid.
  (-0.09, 0.48, 0.060, 0.045, 70),  # Scaphoid.
  (0.20, 0.41, 0.025, 0.028, 130),  # Pisiform.
])
# Outline of a shaft: (share of its length, half width), and of a cap.
_SHAFT = np.array([
  (0.00, 1.00),
  (0.06, 0.98),
  (0.20, 0.70),
  (0.45, 0.58),
  (0.75, 0.62),
  (0.90, 0.80),
  (0.97, 0.70),
  (1.00, 0.40),
])
_SHAFT = np.concatenate([_SHAFT, _SHAFT[::-1] * (1, -1)])
_TURN = np.linspace(0, 2 * np.pi, 18, endpoint=False)
_ROUND = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)
_WRIST = np.array([(0.23, 0.50), (0.22, 1.6), (-0.24, 1.6), (-0.25, 0.50)])
# Shapes are drawn this many times larger and averaged down: smooth edges.
_OVERSAMPLING = 2


class Radiograph(NamedTuple):
  """One planned image."""

  name: str  # File name.
  age: int
  patient: int


class _Hand(NamedTuple):
  """Outlines, each `[B, P, 2]`, of bones and of the flesh around them."""

  bones: list[np.ndarray]
  marrow: list[np.ndarray]
  palm: np.ndarray
  fingers: list[np.ndarray]  # Lines, `[1, P, 2]`.
  finger_width: float  # Half of it.


def _stream(seed: int, *what: str | int) -> np.random.Generator:
  return rng.generator(seed, rng.Purpose.DRAW, 'hands', *what)


def plan(num_images: int, seed: int) -> list[Radiograph]:
  """Names, ages and patients of a cohort's images.

  Images come in pairs: two children, or one child who is 6 to 36 months apart.
  """
  images = []
  for index in range(num_images):
    first = index // 2 * 2
    stream = _stream(seed, 'pair', first)
    ages = stream.integers(1, OLDEST + 1, 2).tolist()
    later = int(stream.integers(6, 37))
    patients = [first, first + 1]
    if stream.random() < 0.5:
      patients[1] = first
      ages[1] = ages[0] + (later if ages[0] + later <= OLDEST else -later)
    turn = index - first
    images.append(Radiograph(f'{index:04d}.png', ages[turn], patients[turn]))
  return images


def _ramp(
  age: float | np.ndarray,
  start: float | np.ndarray,
  end: float | np.ndarray,
) -> np.ndarray:
  """0 up to the first age, 1 from the second one on."""
  return np.clip((age - start) / (end - start), 0, 1)


def _hand(child: np.random.Generator, age: float) -> _Hand:
  """A child's hand at an age, upright and of usual size."""
  grown = _ramp(age, 0, OLDEST) ** 0.7
  stout = child.lognormal(0, 0.05)
  proportions = child.lognormal(0, 0.03, len(_RAY))
  fan = child.normal(0, 2.0, 5) + child.normal(1, 0.12) * _ANGLE
  pace = child.lognormal(0, 0.04, 2)  # Of the caps and of the wrist.

  angle = np.radians(fan[_RAY])
  along = np.stack([np.sin(angle), -np.cos(angle)], axis=1)
  length = np.concatenate(_LENGTHS) * proportions * (0.84 + 0.16 * grown)
  tips = _ORIGIN[_RAY] + np.array([
    (along * length[:, None])[(ray == _RAY) & (order >= _ORDER)].sum(0)
    for ray, order in zip(_RAY, _ORDER, strict=True)
  ])
  bases = tips - along * length[:, None]
  lines = [
    np.concatenate([bases[ray == _RAY][:1], tips[ray == _RAY]])[None]
    for ray in range(len(_ORIGIN))
  ]
  # The caps of the metacarpal bones, but for the thumb's, are at their heads.
  is_turned = ((_ORDER == 0) & (_RAY > 0))[:, None]
  width = np.concatenate([_WIDTH, _FOREARM_WIDTH]) * stout
  shafts, hollows, caps = _tubes(
    np.concatenate([np.where(is_turned, tips, bases), _FOREARM]),
    np.concatenate([np.where(is_turned, -along, along), [(0, 1), (0, 1)]]),
    np.append(length, (0.9, 0.9)),
    width * (1.10 - 0.15 * grown),
    age * pace[0],
    grown,
  )
  carpals, cores = _carpals(child, age * pace[1], stout)
  return _Hand(
    bones=[shafts, caps, carpals],
    marrow=[hollows, cores],
    palm=np.concatenate([tips[_ORDER == 0], _WRIST])[None],
    fingers=lines,
    finger_width=0.083 * stout,
  )


def _tubes(
  joint: np.ndarray,
  along: np.ndarray,
  length: np.ndarray,
  width: np.ndarray,
  age: float,
  grown: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Outlines of shafts, of their marrow and of caps, each `[B, P, 2]`.

  Args:
    joint: `[B, 2]`, where a bone with its cap begins: the two of the forearm
      last.
    along: `[B, 2]`, unit vectors from there.
    length: `[B]`.
    width: `[B]`, half of it.
    age: in months.
    grown: 0..1.
  """
  across = np.stack([-along[:, 1], along[:, 0]], axis=1)
  # The tips of the fingers mature first, the forearm last.
  late = np.concatenate([10.0 * (2 - _ORDER), (30, 30)])
  cap = _ramp(age, 14, 110 + late)
  fused = _ramp(age, 150 + late, 195 + late)
  # From the joint: cartilage, the cap, the growth plate, the shaft.
  room = width * np.where(np.arange(len(width)) < len(_ORDER), 1.7, 1.2)
  start = room * (0.85 - 0.25 * grown - 0.42 * fused)

  def placed(
    outline: np.ndarray, at: np.ndarray, long: np.ndarray, wide: np.ndarray
  ) -> np.ndarray:
    x = at[:, None] + long[:, None] * outline[:, 0]
    y = wide[:, None] * outline[:, 1]
    to = along[:, None] * x[..., None] + across[:, None] * y[..., None]
    return joint[:, None] + to

  hollow = _SHAFT * (0.8, 0.55) + (0.1, 0)
  shafts, hollows = (
    placed(outline, start, length - 1.1 * start, width)
    for outline in (_SHAFT, hollow)
  )
  caps = placed(
    _ROUND,
    room * (0.26 - 0.06 * fused),
    room * 0.17 * (0.35 + 0.65 * cap),
    width * (0.25 + 0.8 * cap),
  )
  return shafts, hollows, caps[cap > 0]


def _carpals(
  child: np.random.Generator, age: float, stout: float
) -> tuple[np.ndarray, np.ndarray]:
  """Outlines `[B, P, 2]` of the wrist bones there are, and of their cores."""
  wobble = 1 + child.normal(0, 0.05, (len(_CARPALS), 1, 1))
  since = age - _CARPALS[:, 4]
  size = 0.25 + 0.75 * _ramp(since, 0, 110) ** 0.6
  axes = _CARPALS[:, None, 2:4] * size[:, None, None] * wobble * stout
  carpals, cores = (
    (_CARPALS[:, None, :2] + share * _ROUND * axes)[since > 0]
    for share in (1, 0.7)
  )
  return carpals, cores


def draw(
  seed: int, index: int, patient: int, age: float, image_size: int = 224
) -> np.ndarray:
  """Draws one radiograph, uint8 [H, W].

  Args:
    seed: of the cohort.
    index: of the image; decides how it was taken.
    patient: decides the proportions of the hand.
    age: bone age in months, 1..`OLDEST`.
    image_size: H and W.
  """
  hand = _hand(_stream(seed, 'patient', patient), age)
  taken = _stream(seed, 'image', index)
  turn = np.radians(taken.normal(0, 7))
  scale = taken.uniform(0.85, 1.05)
  shift = taken.normal((0, 0.02), 0.05)
  turned = scale * np.array([
    (np.cos(turn), np.sin(turn)),
    (-np.sin(turn), np.cos(turn)),
  ])

  def placed(shapes: np.ndarray, canvas: Image.Image) -> list[list[float]]:
    """x, y, x, y, ... of each outline, in pixels of the canvas."""
    pixels = canvas.width / 2 * (1 + shapes @ turned + shift)
    return [outline.ravel().tolist() for outline in pixels]

  flesh = Image.new('L', (image_size, image_size))
  pen = ImageDraw.Draw(flesh)
  pen.polygon(*placed(hand.palm, flesh), fill=255)
  radius = image_size / 2 * scale * hand.finger_width
  for line in hand.fingers:
    (points,) = placed(line, flesh)
    pen.line(points, 255, round(2 * radius))
    for x, y in zip(points[::2], points[1::2], strict=True):
      pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
  fine = image_size * _OVERSAMPLING
  bone = Image.new('L', (fine, fine))
  pen = ImageDraw.Draw(bone)
  for kind, ink in ((hand.bones, 255), (hand.marrow, 180)):
    for shapes in kind:
      for outline in placed(shapes, bone):
        pen.polygon(outline, ink)
  flesh = flesh.filter(ImageFilter.BoxBlur(0.015 * image_size))
  bone = bone.reduce(_OVERSAMPLING).filter(
    ImageFilter.BoxBlur(image_size * taken.uniform(0.001, 0.004))
  )
  dense = np.asarray(flesh, np.float32) * taken.uniform(0.25, 0.5)
  dense += np.asarray(bone, np.float32)
  # The beam is stronger on one side; film and grain.
  line = np.linspace(-1, 1, image_size, dtype=np.float32)
  lean = taken.normal(0, 0.08, 2).astype(np.float32)
  dense *= 1 + lean[0] * line[:, None] + lean[1] * line[None, :]
  dense += taken.uniform(0, 25)
  dense += taken.uniform(1, 6) * taken.standard_normal(
    (image_size, image_size), np.float32
  )
  wanted = taken.uniform(25, 45)
  return np.clip(dense * (wanted / dense.mean()), 0, 255).astype(np.uint8)


def write_cohort(
  folder: pathlib.Path, *, num_images: int, seed: int, image_size: int = 224
) -> pathlib.Path:
  """Draws a cohort's images and its CSV, and returns that one's path.

  See `made_up.write`. The label is the bone age in months, the group the child.
  """
  images = plan(num_images, seed)
  text = csv_text(
    ['path', 'label', 'group'],
    [[f'images/{i.name}', i.age, f'p{i.patient:04d}'] for i in images],
  )

  def drawn(index: int) -> np.ndarray:
    image = images[index]
    return draw(seed, index, image.patient, image.age, image_size)

  return made_up.write(folder, text, [i.name for i in images], drawn)
