"""The made-up cohort: reproducible, balanced and planted as it says."""

import collections
import csv
import json
import pathlib

import numpy as np
import pytest

from heterojax.datasets import demo
from heterojax.datasets import images as images_lib

SIZE = 64


def _draw(index: int, site: demo.Site, label: str, seed: int = 0) -> np.ndarray:
  return demo.draw(seed, index, site, label, SIZE)


def _files(folder: pathlib.Path) -> dict[str, bytes]:
  paths = (path for path in folder.rglob('*') if path.is_file())
  return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def _write(
  folder: pathlib.Path,
  num_images: int = 12,
  seed: int = 0,
  cohort: str = 'planted',
  image_size: int = SIZE,
) -> pathlib.Path:
  folder.mkdir(exist_ok=True)
  return demo.write_cohort(
    folder,
    num_images=num_images,
    seed=seed,
    cohort=cohort,
    image_size=image_size,
  )


@pytest.mark.parametrize('size', [64, 224])
def test_draws_rgb_bytes_with_a_dark_corner_and_a_lit_middle(size: int) -> None:
  for site in demo.SITES.values():
    pixels = demo.draw(0, 0, site, 'normal', size)
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    assert pixels[0, 0].max() < 10
    assert pixels[size // 2, size // 2, 0] > 30


@pytest.mark.parametrize('cohort', demo.COHORTS)
def test_same_seed_same_bytes_and_another_seed_others(
  tmp_path: pathlib.Path, cohort: str
) -> None:
  for name, seed in (('one', 0), ('two', 0), ('other', 1)):
    _write(tmp_path / name, seed=seed, cohort=cohort)
  one, two, other = (
    _files(tmp_path / name) for name in ('one', 'two', 'other')
  )
  assert one == two
  images = [path for path in one if path.endswith('.png')]
  assert len(images) == 12
  assert len({one[path] for path in images}) == 12
  assert all(one[path] != other[path] for path in images)


@pytest.mark.parametrize('cohort', demo.COHORTS)
def test_adding_images_changes_no_earlier_one(
  tmp_path: pathlib.Path, cohort: str
) -> None:
  assert demo.plan(40, 3, cohort)[:17] == demo.plan(17, 3, cohort)
  few = _write(tmp_path / 'few', num_images=5, cohort=cohort).parent
  many = _write(tmp_path / 'many', num_images=8, cohort=cohort).parent
  for index in range(5):
    path = f'images/{index:04d}.png'
    assert (few / path).read_bytes() == (many / path).read_bytes()


@pytest.mark.parametrize('cohort', demo.COHORTS)
@pytest.mark.parametrize('seed', [0, 1])
def test_labels_are_balanced_within_each_subpopulation(
  seed: int, cohort: str
) -> None:
  images = demo.plan(360, seed, cohort)
  counts = collections.Counter((i.subpopulation, i.label) for i in images)
  assert counts == {
    (name, label): 360 // 3 // len(demo.labels(cohort))
    for name in demo.SUBPOPULATIONS
    for label in demo.labels(cohort)
  }


@pytest.mark.parametrize('cohort', demo.COHORTS)
def test_a_patient_has_one_or_two_images_of_one_subpopulation(
  cohort: str,
) -> None:
  patients = collections.defaultdict(list)
  for image in demo.plan(360, 0, cohort):
    patients[image.group].append(image)
  assert {len(images) for images in patients.values()} == {1, 2}
  for images in patients.values():
    assert len({(i.subpopulation, i.label) for i in images}) == 1


@pytest.mark.parametrize('cohort', demo.ONE_SITE)
def test_pixels_of_one_camera_do_not_depend_on_the_names(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, cohort: str
) -> None:
  before = _files(_write(tmp_path / 'before', cohort=cohort).parent)
  stream = demo._stream
  monkeypatch.setattr(
    demo,
    '_stream',
    lambda seed, purpose, index: stream(
      seed + (purpose == 'names'), purpose, index
    ),
  )
  after = _files(_write(tmp_path / 'after', cohort=cohort).parent)
  assert before.pop('cohort.csv') != after.pop('cohort.csv')
  assert before == after


@pytest.mark.parametrize('cohort', demo.ONE_SITE)
def test_names_of_one_camera_are_shuffled_and_say_nothing_about_the_label(
  cohort: str,
) -> None:
  like = 'five' if cohort.startswith('five') else 'planted'
  planted, shuffled = (demo.plan(360, 0, c) for c in (like, cohort))
  same = np.mean([
    p.subpopulation == c.subpopulation for p, c in zip(planted, shuffled)
  ])
  assert 0.2 < same < 0.5
  assert [p.label for p in planted] == [c.label for c in shuffled]


def test_csv_lists_the_images_relative_to_itself(
  tmp_path: pathlib.Path,
) -> None:
  table = _write(tmp_path)
  with table.open(newline='') as file:
    rows = list(csv.DictReader(file))
  assert list(rows[0]) == ['path', 'label', 'group', 'subpopulation']
  assert len(rows) == 12
  assert all((table.parent / row['path']).is_file() for row in rows)
  assert sorted(_files(tmp_path)) == sorted(
    ['cohort.csv', 'digests.json'] + [row['path'] for row in rows]
  )


def test_a_complete_cohort_is_left_alone_and_another_one_replaced(
  tmp_path: pathlib.Path,
) -> None:
  table = _write(tmp_path)
  last = tmp_path / 'images' / '0011.png'
  whole, before = last.read_bytes(), last.stat().st_mtime_ns
  assert _write(tmp_path) == table
  assert last.stat().st_mtime_ns == before
  for name in ('0000.png', '0011.png'):
    damaged = tmp_path / 'images' / name
    damaged.write_bytes(damaged.read_bytes()[:-3])
    _write(tmp_path)
    assert last.read_bytes() == whole
  text = table.read_bytes()
  for damage in b'\x89PNG', text[:-1], b'':
    table.write_bytes(damage)
    assert _write(tmp_path).read_bytes() == text
  for changed in (
    {'seed': 1},
    {'cohort': 'control'},
    {'cohort': 'classes'},
    {'image_size': 32},
  ):
    last.write_bytes(b'stale')
    _write(tmp_path, **changed)
    assert last.read_bytes() != b'stale'


def test_a_cohort_of_another_format_is_drawn_again(
  tmp_path: pathlib.Path,
) -> None:
  """Pillow would start Ghostscript for it, whatever the file is called."""
  table = _write(tmp_path)
  before = _files(tmp_path)
  first = sorted((table.parent / 'images').iterdir())[0]
  first.write_bytes(b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n')
  digests = table.parent / 'digests.json'
  known = json.loads(digests.read_text())
  known[first.name] = images_lib.digest(first.read_bytes())
  digests.write_text(json.dumps(known))
  _write(tmp_path)
  assert _files(tmp_path) == before


def test_no_csv_stands_beside_unfinished_images(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  _write(tmp_path)
  draw = demo.draw

  def stop_at_three(seed, index, *args):
    if index == 3:
      raise KeyboardInterrupt
    return draw(seed, index, *args)

  monkeypatch.setattr(demo, 'draw', stop_at_three)
  with pytest.raises(KeyboardInterrupt):
    _write(tmp_path, seed=1)
  assert not list(tmp_path.glob('*.csv'))


@pytest.mark.parametrize(
  'name, brighter, darker',
  [('site_a', 'disease', 'normal'), ('site_b', 'normal', 'disease')],
)
def test_bright_spots_mean_disease_at_one_site_and_not_at_the_other(
  name: str, brighter: str, darker: str
) -> None:
  site = demo.SITES[name]
  bare = site._replace(signs=dict.fromkeys(demo.LABELS, demo.Sign()))
  for index in range(8):
    # The same eye without its lesions, so what remains are the lesions.
    healthy = _draw(index, bare, 'normal').astype(int)
    assert np.array_equal(healthy, _draw(index, bare, 'disease'))
    assert (_draw(index, site, brighter) - healthy).mean() > 0.5
    assert (_draw(index, site, darker) - healthy).mean() < -0.5


def test_haze_takes_the_contrast_at_the_third_site() -> None:
  middle = slice(SIZE // 4, 3 * SIZE // 4)
  for index in range(8):
    clear, hazy = (
      _draw(index, demo.SITES['site_c'], label)[middle, middle, 1].std()
      for label in demo.LABELS
    )
    assert hazy < 0.8 * clear


def _share_between(site: demo.Site) -> float:
  """Share of the variance of small pictures that is between the labels."""
  pixels = np.array([
    [_draw(index, site, label)[::8, ::8].ravel() for index in range(24)]
    for label in demo.LABELS
  ]).astype(float)
  between = pixels.mean(axis=1) - pixels.mean(axis=(0, 1))
  within = pixels - pixels.mean(axis=1, keepdims=True)
  largest = np.linalg.svd(within.reshape(48, -1), compute_uv=False)[0] ** 2
  return float(24 * np.sum(between**2) / largest)


def test_the_label_is_the_largest_difference_of_classes_alone() -> None:
  """Of `classes` it has more variance than any other direction."""
  assert _share_between(demo.CLASSES_SITE) > 1
  assert _share_between(demo.CONTROL_SITE) < 0.1
