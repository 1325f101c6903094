"""Reading MedMNIST's files: what is in them, and what is refused."""

from collections import Counter
import concurrent.futures
import io
import pathlib
import shutil
import time
import zipfile

import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import images
from heterojax.datasets import medmnist
from heterojax.datasets import npz
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_REAL = (
  pathlib
  .Path(__file__)
  .resolve()
  .parents[2]
  .joinpath('shared', 'data', 'medmnist', 'breastmnist.npz')
)


@pytest.fixture
def real() -> pathlib.Path:
  if not _REAL.is_file():
    pytest.skip('the shared BreastMNIST is not beside this checkout')
  return _REAL


def _arrays(
  sizes: tuple[int, ...] = (5, 3, 4), image: tuple[int, ...] = (6, 7)
) -> dict[str, np.ndarray]:
  """Random images with the labels 0, 1, 0, 1, ..."""
  rng = np.random.default_rng(0)
  arrays = {}
  for word, n in zip(('train', 'val', 'test'), sizes):
    pixels = rng.integers(0, 256, (n, *image), dtype=np.uint8)
    arrays[f'{word}_images'] = pixels
    arrays[f'{word}_labels'] = np.arange(n, dtype=np.uint8)[:, None] % 2
  return arrays


def _save(path: pathlib.Path, arrays: dict[str, np.ndarray]) -> pathlib.Path:
  np.savez_compressed(path, **arrays)
  return path


def _fails(path: pathlib.Path, positive: str = '1', negative: str = '0') -> str:
  with pytest.raises(UserError) as caught:
    medmnist.read(path, (positive, negative))
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  return text


def _counts(cohort: Cohort) -> Counter:
  return Counter((c.split, c.label) for c in cohort.candidates)


def test_the_real_breastmnist(real: pathlib.Path) -> None:
  cohort = medmnist.read(real, ('', ''))
  splits = Counter(c.split for c in cohort.candidates)
  assert splits == {'train': 546, 'validation': 78, 'test': 156}
  # BUSI, of which it is made: 133 normal, 437 benign and 210 malignant.
  labels = Counter(c.label for c in cohort.candidates)
  assert labels == {'malignant': 210, 'normal, benign': 133 + 437}
  assert cohort.classes == ('malignant', 'normal, benign')
  assert cohort.name == 'breastmnist'
  assert not cohort.notes
  assert len({c.id for c in cohort.candidates}) == 780


def test_the_real_images_are_the_files_own(real: pathlib.Path) -> None:
  source = medmnist.read(real, ('', '')).source
  with np.load(real) as arrays:
    for word, split in (('train', 'train'), ('val', 'validation')):
      for index in (0, 7, 77):
        pixels = images.decode(source.read(f'{split}_{index}'))
        expected = arrays[f'{word}_images'][index]
        for channel in range(3):
          np.testing.assert_array_equal(pixels[..., channel], expected)


def test_a_published_file_is_known_by_its_content(
  real: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  copy = shutil.copy(real, tmp_path / 'download (1).npz')
  cohort = medmnist.read(pathlib.Path(copy), ('', ''))
  assert cohort.classes[0] == 'malignant'
  assert not cohort.notes


@pytest.mark.parametrize(
  ('stem', 'names', 'positive'),
  [
    ('breastmnist', ('malignant', 'normal, benign'), 'malignant'),
    ('breastmnist_224', ('malignant', 'normal, benign'), 'malignant'),
    ('PneumoniaMNIST_64', ('normal', 'pneumonia'), 'pneumonia'),
  ],
)
def test_sets_of_two_classes_are_known_by_name(
  tmp_path: pathlib.Path, stem: str, names: tuple[str, str], positive: str
) -> None:
  path = _save(tmp_path / f'{stem}.npz', _arrays())
  cohort = medmnist.read(path, ('', ''))
  assert cohort.classes[0] == positive
  assert set(cohort.classes) == set(names)
  # Training labels are 0, 1, 0, 1, 0.
  train = [c.label for c in cohort.candidates if c.split == 'train']
  assert train == [names[i] for i in (0, 1, 0, 1, 0)]
  # Content that is not the published one does not pass in silence.
  (note,) = cohort.notes
  assert 'is not a published file' in note
  assert '5 + 3 + 4' in note and note.endswith('.')


def test_images_of_another_file_have_no_labels(tmp_path: pathlib.Path) -> None:
  """One that was saved over it once its labels were read."""
  arrays = _arrays()
  path = _save(tmp_path / 'some.npz', arrays)
  cohort = medmnist.read(path, ('1', '0'))
  turned = {name: values[::-1] for name, values in arrays.items()}
  _save(tmp_path / 'new.npz', turned).replace(path)
  with pytest.raises(UserError, match='some.npz changed while it was read'):
    cohort.source.inspect('train_0')


def test_the_classes_can_be_exchanged(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'breastmnist.npz', _arrays())
  for given in (('normal, benign', ''), ('', 'malignant')):
    cohort = medmnist.read(path, given)
    assert cohort.classes == ('normal, benign', 'malignant')


def test_one_is_never_the_disease_by_itself(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'other.npz', _arrays())
  text = _fails(path, '', '')
  assert '0, 1' in text and '--config.data.positive=NAME' in text
  cohort = medmnist.read(path, ('0', ''))
  assert cohort.classes == ('0', '1')
  assert "no label 'malignant'" in _fails(path, 'malignant', '')


def test_candidates_and_their_splits(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'other.npz', _arrays((2, 1, 1)))
  cohort = medmnist.read(path, ('1', '0'))
  assert [
    (c.id, c.path, c.label, c.group, c.split) for c in cohort.candidates
  ] == [
    ('train_0', 'train_0', '0', '', 'train'),
    ('train_1', 'train_1', '1', '', 'train'),
    ('validation_0', 'validation_0', '0', '', 'validation'),
    ('test_0', 'test_0', '0', '', 'test'),
  ]


def test_other_labels_are_left_out(tmp_path: pathlib.Path) -> None:
  arrays = _arrays()
  arrays['train_labels'] = np.array([[0], [1], [2], [10], [2]], np.int64)
  path = _save(tmp_path / 'blood.npz', arrays)
  assert 'the labels 0, 1, 2, 10' in _fails(path, '', '')
  cohort = medmnist.read(path, ('10', '2'))
  assert [c.reason for c in cohort.candidates[:5]] == [
    "label '0' is not one of the two classes",
    "label '1' is not one of the two classes",
    '',
    '',
    '',
  ]
  assert {c.split for c in cohort.included} == {'train'}


@pytest.mark.parametrize(
  'image', [(28, 28), (28, 28, 3), (64, 64), (1, 1), (5, 3, 3), (224, 224, 3)]
)
def test_images_are_lossless(
  tmp_path: pathlib.Path, image: tuple[int, ...]
) -> None:
  arrays = _arrays((2, 1, 1), image)
  path = _save(tmp_path / 'x.npz', arrays)
  source = medmnist.read(path, ('1', '0')).source
  for split, word in (('train', 'train'), ('test', 'test')):
    pixels = images.decode(source.read(f'{split}_0'))
    expected = arrays[f'{word}_images'][0]
    if expected.ndim == 2:
      expected = np.stack([expected] * 3, axis=-1)
    np.testing.assert_array_equal(pixels, expected)


def test_a_file_with_one_split(tmp_path: pathlib.Path) -> None:
  arrays = {k: v for k, v in _arrays().items() if k.startswith('train')}
  cohort = medmnist.read(_save(tmp_path / 'x.npz', arrays), ('1', '0'))
  assert _counts(cohort) == {('train', '0'): 3, ('train', '1'): 2}


def test_flat_labels_and_signed_integers(tmp_path: pathlib.Path) -> None:
  arrays = _arrays()
  for word in ('train', 'val', 'test'):
    arrays[f'{word}_labels'] = arrays[f'{word}_labels'].ravel().astype(np.int32)
  plain = medmnist.read(_save(tmp_path / 'a.npz', _arrays()), ('1', '0'))
  other = medmnist.read(_save(tmp_path / 'b.npz', arrays), ('1', '0'))
  assert plain.candidates == other.candidates


def test_what_is_not_in_the_file(tmp_path: pathlib.Path) -> None:
  source = medmnist.read(
    _save(tmp_path / 'x.npz', _arrays()), ('1', '0')
  ).source
  assert source.exists('train_4') and source.inspect('train_4').problem == ''
  for path in ('train_5', 'dev_0', 'train_-1', 'train', '', 'test_0x', '_0'):
    assert not source.exists(path)
    assert source.inspect(path).problem == 'not in the file'


def test_inspection_tells_equal_images(tmp_path: pathlib.Path) -> None:
  arrays = _arrays()
  arrays['test_images'][1] = arrays['train_images'][0]
  source = medmnist.read(_save(tmp_path / 'x.npz', arrays), ('1', '0')).source
  first, same, other = (
    dict(source.inspect(p).columns) for p in ('train_0', 'test_1', 'test_2')
  )
  assert first == same
  assert first['sha256'] != other['sha256']
  assert (first['width'], first['height']) == ('7', '6')


def test_images_are_loaded_once_and_late(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  arrays = _arrays((40, 3, 4))
  path = _save(tmp_path / 'x.npz', arrays)
  loaded = []

  def load(path: pathlib.Path, name: str) -> np.ndarray:
    loaded.append(name)
    time.sleep(0.05)  # Long enough for other threads to want it too.
    with np.load(path) as found:
      return found[name]

  monkeypatch.setattr(npz, 'load', load)
  source = medmnist.read(path, ('1', '0')).source
  assert not any(name.endswith('images') for name in loaded)
  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    found = list(pool.map(source.read, [f'train_{i % 40}' for i in range(400)]))
  assert [n for n in loaded if n.endswith('images')] == ['train_images']
  for i in (0, 39, 399):
    pixels = np.asarray(Image.open(io.BytesIO(found[i])))
    np.testing.assert_array_equal(pixels, arrays['train_images'][i % 40])


def test_a_folder_with_one_file(tmp_path: pathlib.Path) -> None:
  assert 'holds no .npz' in _fails(tmp_path)
  _save(tmp_path / 'x.npz', _arrays())
  assert medmnist.read(tmp_path, ('1', '0')).name == 'x'
  _save(tmp_path / 'y.npz', _arrays())
  assert 'holds 2 .npz' in _fails(tmp_path)
  assert 'does not exist' in _fails(tmp_path / 'z.npz')


@pytest.mark.parametrize(
  ('changes', 'says'),
  [
    ({'train_labels': np.zeros((5, 14), np.uint8)}, '14 labels an image'),
    ({'train_labels': np.zeros((4, 1), np.uint8)}, 'for 5 images'),
    ({'train_labels': np.zeros((5, 1, 1), np.uint8)}, 'for 5 images'),
    ({'train_labels': np.zeros((5, 1), np.float32)}, 'not integers'),
    ({'train_labels': np.array([['a']] * 5)}, 'not integers'),
    ({'train_labels': None}, 'without train_labels'),
    ({'train_images': np.zeros((5, 8, 8, 8), np.uint8)}, 'volumes'),
    ({'train_images': np.zeros((5, 64), np.uint8)}, '[N, H, W]'),
    ({'train_images': np.zeros((5, 0, 8), np.uint8)}, '[N, H, W]'),
    ({'train_images': np.zeros((5, 8, 8), np.uint16)}, 'uint16'),
    ({'train_images': np.zeros((5, 8, 8), object)}, 'is object [5, 8, 8]'),
    (
      {f'{w}_images': None for w in ('train', 'val', 'test')},
      'holds no train_images',
    ),
  ],
)
def test_other_arrays_are_refused(
  tmp_path: pathlib.Path, changes: dict[str, np.ndarray | None], says: str
) -> None:
  arrays = {**_arrays(), **changes}
  arrays = {name: a for name, a in arrays.items() if a is not None}
  assert says in _fails(_save(tmp_path / 'x.npz', arrays))


def test_files_that_are_no_archive(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'x.npz'
  for data in (b'', b'PK\x03\x04', b'\x93NUMPY' + bytes(90), bytes(500)):
    path.write_bytes(data)
    assert 'cannot be read as an .npz file' in _fails(path)


def test_a_file_that_is_cut_off(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'x.npz', _arrays())
  data = path.read_bytes()
  for end in range(0, len(data), 97):
    path.write_bytes(data[:end])
    assert 'cannot be read as an .npz file' in _fails(path)


def test_damaged_pixels_are_a_sentence(tmp_path: pathlib.Path) -> None:
  path = _save(tmp_path / 'x.npz', _arrays((50, 3, 4), (28, 28)))
  with zipfile.ZipFile(path) as archive:
    start = archive.getinfo('train_images.npy').header_offset
  data = bytearray(path.read_bytes())
  for i in range(start + 5000, start + 5100):
    data[i] ^= 0xFF
  path.write_bytes(data)
  source = medmnist.read(path, ('1', '0')).source
  with pytest.raises(UserError, match='cannot be read as an .npz file'):
    source.read('train_0')


def test_a_false_shape_asks_for_no_memory(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'x.npz'
  with zipfile.ZipFile(path, 'w') as archive:
    for name, array in _arrays().items():
      buffer = io.BytesIO()
      np.save(buffer, array)
      data = buffer.getvalue()
      if name == 'train_images':
        # As long as before: the header is padded with blanks.
        zeros = b'000000000'
        false = data.replace(b'7), }' + b' ' * 9, b'7' + zeros + b'), }')
        assert len(false) == len(data) and false != data
        data = false
      archive.writestr(f'{name}.npy', data)
  assert 'not as long as its header says' in _fails(path)
