"""The made-up hands: geometry tells the age, and brightness does not."""

import csv
import pathlib

import numpy as np
from PIL import Image
import pytest
from scipy import ndimage
from scipy import stats

from heterojax.datasets import hands

SIZE = 128


@pytest.fixture(scope='module')
def ages() -> np.ndarray:
  return np.array([image.age for image in hands.plan(400, 7)])


@pytest.fixture(scope='module')
def radiographs() -> np.ndarray:
  return np.stack([
    hands.draw(7, index, image.patient, image.age, SIZE)
    for index, image in enumerate(hands.plan(400, 7))
  ])


def _threshold(values: np.ndarray) -> float:
  """Otsu's: the largest variance between what is below and above."""
  values = np.sort(values.ravel().astype(np.float64))
  n = np.arange(1, len(values))
  below = np.cumsum(values)[:-1]
  means = below / n, (values.sum() - below) / (len(values) - n)
  between = n * (len(values) - n) * np.square(means[0] - means[1])
  return values[np.argmax(between)]


def _bones(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Where the hand is, and where its bones are; whatever the exposure."""
  hand = pixels > _threshold(pixels) / 2
  return hand, hand & (pixels > _threshold(pixels[hand]))


@pytest.mark.medium
def test_brightness_says_nothing_of_the_age(
  radiographs: np.ndarray, ages: np.ndarray
) -> None:
  for values in (
    radiographs.mean((1, 2)),
    np.median(radiographs, axis=(1, 2)),
    radiographs.std((1, 2)),
  ):
    assert abs(np.corrcoef(values, ages)[0, 1]) < 0.2


@pytest.mark.medium
def test_geometry_tells_the_age(
  radiographs: np.ndarray, ages: np.ndarray
) -> None:
  found = [_bones(pixels) for pixels in radiographs]
  share = [bones.sum() / hand.sum() for hand, bones in found]
  assert stats.spearmanr(share, ages)[0] > 0.75
  # Gaps close: bones that were apart are one.
  pieces = [ndimage.label(bones)[1] for _, bones in found]
  assert stats.spearmanr(pieces, ages)[0] < -0.75


def test_wrist_bones_appear_one_by_one() -> None:
  born = (0, 2, 3, 27, 40, 55, 62, 70, 130)
  rng = np.random.default_rng(0)
  for number, (start, end) in enumerate(zip(born, (*born[1:], 228))):
    for age in (start + 0.01, end):
      carpals, cores = hands._carpals(rng, age, 1.0)
      assert len(carpals) == len(cores) == number
  sizes = [
    np.ptp(hands._carpals(rng, age, 1.0)[0][0], axis=0).mean()
    for age in (5, 40, 110, 200)
  ]
  assert sizes[0] < sizes[1] < sizes[2] == pytest.approx(sizes[3], rel=0.3)


def _gaps(age: float) -> np.ndarray:
  """From each cap to its shaft; negative where they meet."""
  # pylint: disable-next=protected-access
  shafts, caps, _ = hands._hand(np.random.default_rng(0), age).bones
  away = shafts.mean(1) - caps.mean(1)
  along = (away / np.linalg.norm(away, axis=1, keepdims=True))[..., None]
  return (shafts @ along).min((1, 2)) - (caps @ along).max((1, 2))


def test_growth_plates_narrow_and_close() -> None:
  gaps = [_gaps(age) for age in (30, 100, 140, 228)]
  for wider, narrower in zip(gaps, gaps[1:]):
    assert (wider > narrower).all()
  assert (gaps[2] > 0).all() and (gaps[3] < 0).all()


@pytest.mark.parametrize('size', [64, 224])
def test_draws_bytes_that_use_the_range(size: int) -> None:
  pixels = hands.draw(0, 0, 0, 100, size)
  assert pixels.shape == (size, size)
  assert pixels.dtype == np.uint8
  assert pixels.max() > 120
  assert np.median(pixels) < 60  # The hand fills less than half of it.
  # Hardly anything is burnt out.
  shares = [
    np.mean(hands.draw(0, i, i, 10 * i + 1, size) == 255) for i in range(20)
  ]
  assert np.mean(shares) < 0.03


def test_children_differ_and_so_do_exposures() -> None:
  first, other_child, other_exposure, again = (
    hands.draw(0, index, patient, 100, SIZE).astype(int)
    for index, patient in ((0, 0), (0, 1), (1, 0), (0, 0))
  )
  assert np.array_equal(first, again)
  assert np.abs(first - other_child).mean() > 1
  assert np.abs(first - other_exposure).mean() > 1


def test_a_month_is_a_small_change() -> None:
  draw = lambda age: hands.draw(0, 0, 0, age, SIZE).astype(int)
  for age in range(5, 225, 20):
    near = np.abs(draw(age) - draw(age + 1)).mean()
    far = np.abs(draw(age) - draw((age + 110) % 228 + 1)).mean()
    assert near < far / 2


def test_the_plan() -> None:
  images = hands.plan(2000, 0)
  ages = np.array([image.age for image in images])
  assert (ages.min(), ages.max()) == (1, 228)
  # Every quarter of the ages is there about equally often.
  counts = np.histogram(ages, bins=[1, 58, 115, 172, 229])[0]
  assert counts.min() > 400
  pairs = list(zip(images[::2], images[1::2]))
  same = [(a, b) for a, b in pairs if a.patient == b.patient]
  assert 400 < len(same) < 600
  assert all(6 <= abs(a.age - b.age) <= 36 for a, b in same)
  assert len({image.patient for image in images}) == 2000 - len(same)
  # A longer plan begins with the shorter one.
  assert hands.plan(17, 0) == images[:17]
  assert hands.plan(17, 1) != images[:17]


def _files(folder: pathlib.Path) -> dict[str, bytes]:
  paths = (path for path in folder.rglob('*') if path.is_file())
  return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _write(folder: pathlib.Path, n: int = 6, **changed: int) -> pathlib.Path:
  folder.mkdir(exist_ok=True)
  options = {'seed': 0, 'image_size': 48, **changed}
  return hands.write_cohort(folder, num_images=n, **options)


def test_a_written_cohort(tmp_path: pathlib.Path) -> None:
  table = _write(tmp_path / 'one')
  with table.open(newline='') as file:
    rows = list(csv.DictReader(file))
  assert [(r['path'], r['label'], r['group']) for r in rows] == [
    (f'images/{i.name}', str(i.age), f'p{i.patient:04d}')
    for i in hands.plan(6, 0)
  ]
  for index, row in enumerate(rows):
    with Image.open(table.parent / row['path']) as image:
      assert (image.mode, image.size) == ('L', (48, 48))
      plan = hands.plan(6, 0)[index]
      expected = hands.draw(0, index, plan.patient, plan.age, 48)
      assert np.array_equal(np.asarray(image), expected)
  # The same bytes again, others of another seed, and more begin with fewer.
  one = _files(tmp_path / 'one')
  assert _files(_write(tmp_path / 'two').parent) == one
  assert _files(_write(tmp_path / 'seed', seed=1).parent) != one
  more = _files(_write(tmp_path / 'more', 9).parent)
  assert all(more[name] == one[name] for name in one if 'images' in name)


def test_a_complete_cohort_is_left_alone_and_another_replaced(
  tmp_path: pathlib.Path,
) -> None:
  _write(tmp_path)
  last = tmp_path / 'images' / '0005.png'
  whole, before = last.read_bytes(), last.stat().st_mtime_ns
  _write(tmp_path)
  assert last.stat().st_mtime_ns == before
  last.write_bytes(b'damaged')
  _write(tmp_path)
  assert last.read_bytes() == whole
  for changed in ({'seed': 1}, {'image_size': 32}):
    last.write_bytes(b'stale')
    _write(tmp_path, **changed)
    assert last.read_bytes() != b'stale'
