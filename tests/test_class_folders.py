"""Which files of a folder are images, of which class and of which split."""

from collections import Counter
import io
import os
import pathlib
import unicodedata

import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import classes
from heterojax.datasets import folder
from heterojax.datasets import masks
from heterojax.datasets import splits
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError


def _image(kind: str = 'PNG', seed: int = 0) -> bytes:
  pixels = np.random.default_rng(seed).integers(0, 256, (9, 8, 3), np.uint8)
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, kind)
  return file.getvalue()


def _write(root: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
  for name, data in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
  return root


def _touch(root: pathlib.Path, *names: str) -> pathlib.Path:
  return _write(root, dict.fromkeys(names, b''))


def _read(root: pathlib.Path, *named: str, masks: bool = False) -> Cohort:
  choices = Choices(masks=masks)
  return folder.read(root, named or ('', ''), choices=choices)


def _fails(root: pathlib.Path, *named: str) -> str:
  with pytest.raises(UserError) as caught:
    _read(root, *named)
  text = str(caught.value)
  assert '\n' not in text
  return text


def _splits(cohort: Cohort) -> dict[str, tuple[str, str]]:
  return {c.path: (c.label, c.split) for c in cohort.included}


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'BMP', 'GIF', 'WEBP'])
@pytest.mark.parametrize(
  'name', ['IM-0001', 'a.jfif', 'a.jpe', 'a.JPEG_', 'a.txt', 'a.2.840.1']
)
def test_an_image_is_told_by_its_content(
  tmp_path: pathlib.Path, kind: str, name: str
) -> None:
  _write(tmp_path, {f'ill/{name}': _image(kind), 'normal/b.png': _image()})
  cohort = _read(tmp_path)
  assert [c.path for c in cohort.included] == [f'ill/{name}', 'normal/b.png']
  assert cohort.notes == ()
  assert not cohort.source.inspect(f'ill/{name}').problem


def test_what_is_no_image_is_listed_with_its_reason(
  tmp_path: pathlib.Path,
) -> None:
  _write(
    tmp_path,
    {
      'ill/a.png': _image(),
      'ill/deep/notes.txt': b'read me',
      'ill/Thumbs.db': b'\xd0\xcf\x11\xe0',
      'ill/empty': b'',
      'ill/b.jp2': _image('JPEG2000'),
      'ill/c.heic': b'\0\0\0\x18ftypheic\0\0\0\0',
      'normal/a.png': _image(),
      'readme.txt': b'not below a class',
    },
  )
  os.mkfifo(tmp_path / 'ill' / 'pipe')
  (tmp_path / 'ill' / 'gone').symlink_to('nowhere')
  cohort = _read(tmp_path)
  assert {c.path: c.reason for c in cohort.candidates if c.reason} == {
    'ill/deep/notes.txt': 'not an image',
    'ill/Thumbs.db': 'not an image',
    'ill/empty': 'the file is empty',
    'ill/b.jp2': 'JPEG2000 is not read: save it as PNG',
    'ill/c.heic': 'HEIF is not read: save it as PNG',
    'ill/pipe': 'cannot be read: not a regular file',
    'ill/gone': 'file not found',
  }
  assert cohort.classes == ('ill', 'normal')
  assert cohort.notes == (
    f'Files of {tmp_path} in no class folder that are no images are not used:'
    ' 1, as readme.txt.',
    '7 of 9 files below the class folders are no images that can be read, as'
    ' ill/Thumbs.db (not an image).',
  )


@pytest.mark.parametrize(
  ('train', 'test', 'validation'),
  [
    ('train', 'test', 'val'),
    ('Training', 'Testing', 'Validation'),
    ('TRAIN', 'TEST', 'VALID'),
    ('train_set', 'test-set', 'dev'),
    ('TrainingData', 'TestData', 'validationImages'),
    ('train/images', 'test/images', 'val/images'),
    ('images/train', 'images/test', 'images/val'),
    ('data/train', 'data/test', 'data/val'),
    ('seg_train', 'seg_test', 'seg_val'),
    ('training_set/training_set', 'test_set/test_set', 'val_set/val_set'),
    ('chest/chest/train', 'chest/chest/test', 'chest/chest/val'),
  ],
)
def test_splits_above_the_classes(
  tmp_path: pathlib.Path, train: str, test: str, validation: str
) -> None:
  parts = {train: 'train', test: 'test', validation: 'validation'}
  want = {
    f'{part}/{label}/{i}.png': (label, split)
    for part, split in parts.items()
    for label in ('NORMAL', 'PNEUMONIA')
    for i in range(2)
  }
  cohort = _read(_touch(tmp_path, *want))
  assert cohort.classes == ('PNEUMONIA', 'NORMAL')
  assert _splits(cohort) == want
  assert 'The folders name the split' in cohort.notes[-1]
  (split,) = splits.assign(
    cohort,
    seed=0,
    protocol='clean',
    test_share=0.5,
    validation_share=0.5,
    folds=0,
  )
  assert split.named_splits and _splits(split) == want


@pytest.mark.parametrize(
  'below', ['{split}', 'images/{split}', '{split}/images', '{split}/p1/deep']
)
def test_splits_below_the_classes(tmp_path: pathlib.Path, below: str) -> None:
  want = {
    f'{label}/{below.format(split=word)}/{i}.png': (label, split)
    for word, split in (('train', 'train'), ('test', 'test'))
    for label in ('ill', 'normal')
    for i in range(2)
  }
  assert _splits(_read(_touch(tmp_path, *want))) == want


@pytest.mark.parametrize(
  ('train', 'test'),
  [
    ('trainset', 'testset'),
    ('Train Data', 'Test Data'),
    ('training-split', 'hold-out'),
    ('trn', 'tst'),
    ('trainval', 'test'),
  ],
)
def test_other_names_of_splits(
  tmp_path: pathlib.Path, train: str, test: str
) -> None:
  for above in (True, False):
    root = tmp_path / str(above)
    for part in (train, test):
      for label in ('ill', 'normal'):
        folders = (part, label) if above else (label, part)
        _touch(root, f'{"/".join(folders)}/{part}.png')
    cohort = _read(root)
    assert cohort.classes == ('ill', 'normal')
    assert {c.path.split('/')[-1][:-4]: c.split for c in cohort.candidates} == {
      train: 'train',
      test: 'test',
    }


def test_two_folders_of_one_split(tmp_path: pathlib.Path) -> None:
  for part in ('train', 'internal_test', 'external_test'):
    _touch(tmp_path, f'{part}/ill/{part}.png', f'{part}/normal/{part}.png')
  # A class may have such a word all the same.
  _touch(tmp_path, 'train/stress test/a/x.png', 'train/rest/x.png')
  cohort = _read(tmp_path, 'ill', 'normal')
  assert len(cohort.included) == 6
  assert {c.path.split('/')[0]: c.split for c in cohort.included} == {
    'train': 'train',
    'internal_test': 'test',
    'external_test': 'test',
  }
  assert {c.label for c in cohort.candidates if not c.included} == {
    'stress test',
    'rest',
  }


def test_folders_of_two_splits_are_said(tmp_path: pathlib.Path) -> None:
  for label in ('ill', 'normal'):
    _touch(tmp_path, f'train/{label}/a.png', f'train/{label}/test/b.png')
    _touch(tmp_path, f'test/{label}/test/c.png')
  cohort = _read(tmp_path)
  splits_ = {c.path.split('/')[-1]: c.split for c in cohort.candidates}
  assert splits_ == {'a.png': 'train', 'b.png': 'train', 'c.png': 'test'}
  assert (
    '2 images lie in folders of two splits, as train/ill/test/b.png: they are'
    ' taken for those of the outer one (train).'
  ) in cohort.notes


def test_what_is_hidden_is_counted(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'ill/a.png', 'normal/b.png')
  assert _read(tmp_path).notes == ()
  _touch(
    tmp_path, 'ill/.c.png', 'normal/.ipynb_checkpoints/b.png', '__MACOSX/x'
  )
  cohort = _read(tmp_path)
  assert [c.path for c in cohort.candidates] == ['ill/a.png', 'normal/b.png']
  assert cohort.notes == (
    f'Hidden files and folders of {tmp_path} are not looked at: 3, as'
    ' __MACOSX.',
  )


def test_a_split_is_never_a_class(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'train/a/1.png', 'train/b/2.png', 'test/a/3.png')
  assert 'has the labels a, b' in _fails(tmp_path)
  said = _fails(tmp_path, 'test', 'train')
  assert "no label 'test'" in said and 'its labels are a, b' in said


@pytest.mark.parametrize(
  'names', [('test_positive', 'test_negative'), ('retest', 'control')]
)
def test_a_class_may_have_a_word_of_splits(
  tmp_path: pathlib.Path, names: tuple[str, str]
) -> None:
  _touch(tmp_path, *(f'{name}/1.png' for name in names))
  cohort = _read(tmp_path, *names)
  assert {c.label for c in cohort.included} == set(names)
  assert not any(c.split for c in cohort.candidates)


def test_a_validation_part_without_a_test_part_is_tested(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, *(f'{s}/{c}/1.png' for s in ('train', 'val') for c in 'ab'))
  cohort = _read(tmp_path, 'a', 'b')
  assert {c.split for c in cohort.included} == {'train', 'test'}
  assert 'none of test: those of validation are the test' in cohort.notes[-1]


def test_one_split_alone_splits_nothing(tmp_path: pathlib.Path) -> None:
  """As of downloads whose test images have no labels."""
  _touch(tmp_path, 'train/a/1.png', 'train/b/2.png', 'test/3.png')
  cohort = _read(tmp_path, 'a', 'b')
  assert _splits(cohort) == {
    'train/a/1.png': ('a', ''),
    'train/b/2.png': ('b', ''),
  }
  assert cohort.notes == (
    f'1 images of {tmp_path} lie in no class folder.',
    'Folders name the split train alone, which splits nothing: images are split'
    ' at random.',
  )


@pytest.mark.parametrize(
  ('image', 'mask'),
  [
    ('{c}/images/{i}.png', '{c}/masks/{i}.png'),
    ('{c}/{i}.png', '{c}/{i}_mask.png'),
    ('{c}/{c} ({i}).png', '{c}/{c} ({i})_mask_1.png'),
    ('{c}/{i}.jpg', '{c}/{i}_Segmentation.png'),
    ('{c}/{i}.jpg', '{c}/{i}-label.png'),
    ('{c}/{i}.jpg', '{c}/LungMasks/{i}.png'),
    ('{c}/{i}.jpg', '{c}/ground_truth/{i}.png'),
    ('{c}/{i}.jpg', '{c}/Annotations/{i}.png'),
    ('images/{c}/{i}.png', 'masks/{c}/{i}.png'),
    ('train/images/{c}/{i}.png', 'train/labels/{c}/{i}.png'),
    ('{c}/{i}.png', 'masks/{c}/{i}.png'),
    ('{c}/{i}.png', 'segmentation masks/{c}_{i}.png'),
  ],
)
def test_masks_by_name_are_left_out(
  tmp_path: pathlib.Path, image: str, mask: str
) -> None:
  of_each = [{'c': c, 'i': i} for c in ('ill', 'normal') for i in range(3)]
  names = {image.format(**one) for one in of_each}
  others = {mask.format(**one) for one in of_each}
  _touch(tmp_path, *names, *others)
  cohort = _read(tmp_path)
  assert cohort.classes == ('ill', 'normal')
  assert {c.path for c in cohort.included} == names
  assert {c.path for c in cohort.candidates if c.reason} == others
  assert {c.reason for c in cohort.candidates} == {'', masks.BY_NAME}
  assert any(note.startswith('6 pictures are called') for note in cohort.notes)


def test_masks_are_used_where_they_are_asked_for(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, 'ill/1.png', 'ill/masks/1.png', 'normal/1.png')
  cohort = _read(tmp_path, masks=True)
  assert len(cohort.included) == 3
  assert not cohort.masks_are_left_out
  assert _read(tmp_path).masks_are_left_out


@pytest.mark.parametrize(
  'names',
  [
    ('with_mask/with_mask_1.jpg', 'without_mask/without_mask_1.jpg'),
    ('with_mask/with_mask_1.jpg', 'with_mask/2.jpg', 'no_mask/1.jpg'),
    ('mask/1.jpg', 'no_mask/2.jpg'),
    ('ill/img_1_label_1.jpg', 'normal/img_2_label_0.jpg'),
    ('label_0/1.jpg', 'label_1/2.jpg'),
  ],
)
def test_a_class_is_no_mask(
  tmp_path: pathlib.Path, names: tuple[str, ...]
) -> None:
  cohort = _read(
    _touch(tmp_path, *names), *sorted({name.split('/')[0] for name in names})
  )
  assert {c.path for c in cohort.included} == set(names)


def test_a_named_class_is_one_whatever_it_seems(
  tmp_path: pathlib.Path,
) -> None:
  _touch(tmp_path, *(f'{c}/1.png' for c in ('mask', 'a', 'b')))
  assert {c.label for c in _read(tmp_path, 'mask', 'a').included} == {
    'mask',
    'a',
  }


@pytest.mark.parametrize('form', ['NFC', 'NFD'])
@pytest.mark.parametrize('typed', ['NFC', 'NFD'])
def test_either_form_of_unicode_names_a_class(
  tmp_path: pathlib.Path, form: str, typed: str
) -> None:
  name = unicodedata.normalize(form, 'rétinopathie')
  _touch(tmp_path, f'{name}/{name}.png', 'normal/b.png')
  cohort = _read(tmp_path, unicodedata.normalize(typed, 'rétinopathie'), '')
  assert cohort.classes == ('r\u00e9tinopathie', 'normal')
  assert cohort.source.exists(cohort.included[1].path)


def test_either_form_of_unicode_names_the_folder(
  tmp_path: pathlib.Path,
) -> None:
  there, typed = (unicodedata.normalize(f, 'données') for f in ('NFD', 'NFC'))
  _touch(tmp_path / there, 'ill/a.png', 'normal/b.png')
  assert len(_read(tmp_path / typed).included) == 2


def test_an_empty_class_folder_is_named(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'normal/a.png', 'docs/x.txt')
  (tmp_path / 'ill').mkdir()
  said = 'The class folders docs, ill hold no images.'
  text = _fails(tmp_path)
  assert 'a study needs two classes.' in text and text.endswith(said)
  assert said in _fails(tmp_path, 'ill', 'normal')
  _touch(tmp_path, 'cataract/a.png')
  assert said in _read(tmp_path).notes
  (tmp_path / 'docs' / 'x.txt').unlink()
  (tmp_path / 'docs').rmdir()
  assert 'The class folder ill holds no images.' in _read(tmp_path).notes


def test_an_empty_class_folder_of_a_split(tmp_path: pathlib.Path) -> None:
  _touch(tmp_path, 'train/a/1.png', 'train/b/2.png', 'test/a/3.png')
  (tmp_path / 'test/b').mkdir()
  assert 'The class folder test/b holds no images.' in (
    _read(tmp_path, 'a', 'b').notes
  )


def test_a_folder_with_one_table_is_that_table(tmp_path: pathlib.Path) -> None:
  text = 'path,label\nimages/1.png,ill\nimages/2.png,normal\n'
  _write(tmp_path, {'labels.csv': text.encode()})
  _touch(tmp_path, 'images/1.png', 'images/2.png')
  cohort = _read(tmp_path)
  assert Counter(c.label for c in cohort.included) == {'ill': 1, 'normal': 1}
  assert cohort.notes[0] == (
    f'The table labels.csv of {tmp_path} names the images.'
  )
  _touch(tmp_path, 'part_1/1.png', 'part_2/2.png')
  assert len(_read(tmp_path, 'ill', 'normal').included) == 2
  assert _fails(tmp_path, 'Ill', '').endswith(
    f'The folders of {tmp_path} are part_1, part_2.'
  )
  assert _fails(tmp_path).endswith(
    f'To read its table, give --config.data.dir={tmp_path}/labels.csv.'
  )


@pytest.mark.parametrize(
  ('colours', 'two'),
  [([0], False), ([0, 255], True), ([7, 8], True), ([0, 128, 255], False)],
)
def test_two_values(colours: list[int], two: bool) -> None:
  pixels = np.full((70, 90, 3), colours[0], np.uint8)
  for i, value in enumerate(colours):
    pixels[i, 3:] = value
  assert masks.is_two_valued(pixels) is two
  assert masks.is_two_valued(pixels.astype(np.float32)) is two


def test_two_values_are_of_whole_colours() -> None:
  pixels = np.zeros((4, 4, 3), np.uint8)
  pixels[0, 0], pixels[1, 1] = (255, 0, 0), (0, 255, 0)
  assert not masks.is_two_valued(pixels)
  pixels[1, 1] = 0
  assert masks.is_two_valued(pixels)


def test_words_of_names() -> None:
  assert masks.words('TrainingSet_2b') == {'training', 'set', 'b'}
  assert masks.words('Ground Truth') == {'groundtruth'}
  assert masks.said('21_maskLeft') == {'mask'}
  assert not masks.said('unmasked_labeled_segmented')
  assert classes.composed('e\u0301') == '\u00e9'
