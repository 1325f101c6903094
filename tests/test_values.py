"""Values of images: what is told of them, and what of them becomes 0..255."""

import io
import pathlib

import numpy as np
from PIL import Image
import pytest

from heterojax import features
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.studies import shortcuts

_LABELS = ('ill', 'well')


def _pixels(seed: int, highest: int) -> np.ndarray:
  rng = np.random.default_rng(seed)
  values = rng.integers(0, highest, (6, 5), endpoint=True)
  return values.astype(np.uint8 if highest < 256 else np.uint16)


def _encoded(pixels: np.ndarray, kind: str = 'PNG') -> bytes:
  buffer = io.BytesIO()
  Image.fromarray(pixels).save(buffer, kind)
  return buffer.getvalue()


def _selected(
  folder: pathlib.Path,
  ill: int,
  well: int,
  kinds: tuple[str, str] = ('PNG', 'PNG'),
  levels: images.Range = 'window',
) -> Cohort:
  """Twelve images of each class, of values up to a highest."""
  candidates = []
  for label, highest, kind in zip(_LABELS, (ill, well), kinds, strict=True):
    for n in range(12):
      name = f'{label}{n}'
      data = _encoded(_pixels(len(candidates), highest), kind)
      (folder / name).write_bytes(data)
      candidates.append(Candidate(name, name, label, ''))
  cohort = Cohort('made', sources.Files(folder), _LABELS, tuple(candidates))
  return selection.select(
    cohort,
    seed=0,
    balance=False,
    distinct=True,
    max_bad_share=0,
    workers=1,
    levels=levels,
  )


@pytest.mark.parametrize('kind', ['PNG', 'TIFF'])
def test_twelve_bits_in_sixteen_are_noted(
  tmp_path: pathlib.Path, kind: str
) -> None:
  (note,) = _selected(tmp_path, 4095, 4000, (kind, kind)).notes
  assert note.startswith(
    f'The values of all 24 images of 16 bits in {kind} files lie between'
  )
  assert '--config.data.range=image' in note and '% and 6.' in note
  assert _selected(tmp_path, 4095, 4000, levels='image').notes == ()
  # The rest of the range may be needed by one image alone.
  assert _selected(tmp_path, 4095, 65_535).notes == ()


def test_every_kind_of_file_is_noted_by_itself(tmp_path: pathlib.Path) -> None:
  (note,) = _selected(tmp_path, 4095, 255).notes
  assert 'all 12 images of 16 bits in PNG files' in note
  (note,) = _selected(tmp_path, 20, 255, ('BMP', 'PNG')).notes
  assert 'all 12 images of 8 bits in BMP files' in note
  assert _selected(tmp_path, 255, 255).notes == ()


def test_the_manifest_has_values_as_the_file_has_them(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _selected(tmp_path, 4095, 255, ('TIFF', 'BMP'))
  for n, c in enumerate(cohort.included):
    pixels = _pixels(n, 4095 if c.label == 'ill' else 255)
    columns = dict(c.columns)
    assert columns['format'] == ('TIFF' if c.label == 'ill' else 'BMP')
    assert columns['bit_depth'] == ('16' if c.label == 'ill' else '8')
    assert columns['minimum_value'] == str(pixels.min())
    assert float(columns['mean_value']) == pytest.approx(pixels.mean())
    assert columns['maximum_value'] == str(pixels.max())
    assert 'value_range' not in columns


def test_the_bits_of_a_class_are_a_shortcut(tmp_path: pathlib.Path) -> None:
  used = _selected(tmp_path, 65_535, 255).included
  names = ('format', 'bit_depth', 'mean_value', 'maximum_value')
  found = shortcuts.audit(
    {name: [dict(c.columns)[name] for c in used] for name in names},
    np.array([c.label == 'ill' for c in used], int),
    np.arange(24) % 3,
    np.arange(24) % 4 > 0,
    excluded={},
  )
  by_name = {entry.column: entry for entry in found}
  bits = by_name['bit_depth']
  assert (bits.kind, bits.measure) == ('categorical', "Cramer's V")
  assert bits.with_class == pytest.approx(1) and bits.auc_alone == 1
  assert by_name['mean_value'].with_class > shortcuts.STRONG['eta squared']


@pytest.mark.parametrize('highest', [200, 4095])
def test_the_range_of_an_image_is_filled(highest: int) -> None:
  pixels = _pixels(0, highest) + 50
  low, high = int(pixels.min()), int(pixels.max())
  got = images.decode(_encoded(pixels), 'image')
  want = (pixels.astype(float) - low) / (high - low) * 255
  assert got.dtype == np.float32 and (got.min(), got.max()) == (0, 255)
  np.testing.assert_allclose(got[..., 1], want, atol=2e-5)
  # The network sees what was inspected.
  for levels in ('window', 'stored'):
    plain = images.decode(_encoded(pixels))
    np.testing.assert_array_equal(
      images.decode(_encoded(pixels), levels), plain
    )


def test_colours_are_stretched_alike() -> None:
  pixels = np.array([[[10, 20, 30], [60, 20, 110]]], np.uint8)
  got = images.decode(_encoded(pixels), 'image')
  np.testing.assert_allclose(got, (pixels - 10.0) * 2.55, atol=1e-4)
  flat = images.decode(_encoded(np.full((2, 2), 9, np.uint8)), 'image')
  np.testing.assert_array_equal(flat, 0)


def test_features_are_of_the_range_that_was_asked_for(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / 'a').write_bytes(_encoded(_pixels(0, 4095)))
  picture = features.Picture('a', augmentation.IDENTITY)
  how = features.Extraction('avg', 6, 'keras', 1, 1, levels='image')
  seen = features.load_picture(sources.Files(tmp_path), picture, how)
  assert np.ptp(seen) > 200


@pytest.mark.parametrize('dtype', [np.int32, np.float32])
def test_a_range_that_is_unknown_is_that_of_the_image(dtype: type) -> None:
  values = np.array([[-100_000, 0, 900_000]], dtype)
  data = _encoded(values, 'TIFF')
  with pytest.raises(images.UnreadableImage, match='data.range=image'):
    images.decode(data)
  got = images.examine(data, 'image')
  np.testing.assert_allclose(got.pixels[0, :, 0], [0, 25.5, 255], atol=1e-4)
  assert (got.bits, got.stored.minimum) == (32, -100_000)


def test_values_that_are_no_numbers_cannot_be_used() -> None:
  data = _encoded(np.array([[0, np.nan, 1]], np.float32), 'TIFF')
  with pytest.raises(images.UnreadableImage, match='not finite'):
    images.decode(data, 'image')


def test_what_is_shown_in_another_way_is_counted(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  examine = images.examine

  def noted(data: bytes, levels: images.Range) -> images.Decoded:
    found = examine(data, levels)
    note = '{} have no window' if found.stored.mean > 127 else ''
    return found._replace(note=note)

  monkeypatch.setattr(images, 'examine', noted)
  cohort = _selected(tmp_path, 255, 255)
  means = [float(dict(c.columns)['mean_value']) for c in cohort.included]
  bright = sum(mean > 127 for mean in means)
  assert 0 < bright < 24
  assert cohort.notes == (f'{bright} of 24 images have no window.',)
