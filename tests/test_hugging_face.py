"""Data sets of Hugging Face as what a study is fitted to."""

import io
import pathlib
import re

import datasets as hub
import numpy as np
import PIL.Image
import pytest

import heterojax
from heterojax import datasets
from heterojax.api import inputs
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_CLASSES = hub.ClassLabel(names=['well', 'ill'])
_LABELS = [1, 0, 1, 0, 1, 0]


def _encoded(seed: int, form: str = 'JPEG') -> bytes:
  image = np.random.default_rng(seed).integers(0, 256, (9, 8, 3), np.uint8)
  buffer = io.BytesIO()
  PIL.Image.fromarray(image).save(buffer, form)
  return buffer.getvalue()


def _pictures(paths: list[str | None], **columns) -> hub.Dataset:
  """Of bytes; columns are (values, feature)."""
  cells = [{'bytes': _encoded(i), 'path': p} for i, p in enumerate(paths)]
  columns = {'image': (cells, hub.Image()), **columns}
  return hub.Dataset.from_dict(
    {name: values for name, (values, _) in columns.items()},
    features=hub.Features({name: kind for name, (_, kind) in columns.items()}),
  )


def _labelled(paths: list[str | None]) -> hub.Dataset:
  return _pictures(
    paths,
    dx=(_LABELS[: len(paths)], _CLASSES),
    view=(['PA', None, 'AP', 'AP', 'PA', 'PA'], hub.Value('string')),
  )


def _cohort(folder: pathlib.Path, data, *more, **named) -> Cohort:
  given = inputs.of(data, *more, **named)
  with inputs.kept(given, folder):
    pass
  path = pathlib.Path(given.within(folder))
  return datasets.read(
    given.configuration,
    path,
    ('ill', 'well'),
    choices=Choices(given.columns),
  )


def _columns(cohort: Cohort, name: str) -> list[str]:
  return [dict(c.columns)[name] for c in cohort.candidates]


@pytest.mark.parametrize(
  'paths, kept',
  [
    ([f'/far/{i}_left.jpg' for i in range(6)], True),
    ([f'C:\\far\\{i}_left.jpg' for i in range(6)], True),
    ([None] * 6, False),
    ([f'{i}/image.jpg' for i in range(6)], False),
    (['a.jpg', 'A.jpg', 'b.jpg', 'c.jpg', 'd.jpg', 'e.jpg'], False),
    (['..', 'a', 'b', 'c', 'd', 'e'], False),
    (['images.csv', 'a', 'b', 'c', 'd', 'e'], False),
  ],
)
def test_pictures_are_the_files_that_were_kept(paths, kept, tmp_path) -> None:
  cohort = _cohort(tmp_path, _labelled(paths))
  assert [c.label for c in cohort.candidates] == ['ill', 'well'] * 3
  assert _columns(cohort, 'view') == ['PA', '', 'AP', 'AP', 'PA', 'PA']
  for i, candidate in enumerate(cohort.candidates):
    assert (cohort.source.root / candidate.path).read_bytes() == _encoded(i)
  names = [pathlib.Path(c.path).name for c in cohort.candidates]
  own = [re.split(r'[/\\]', path or '')[-1] for path in paths]
  assert (names == own) == kept
  written = {p.name for p in tmp_path.rglob('*') if p.is_file()}
  assert written == {*names, 'images.csv'}


def test_pictures_that_lie_elsewhere_stay_there(tmp_path) -> None:
  (tmp_path / 'far').mkdir()
  paths = [str(tmp_path / f'far/{i}.jpg') for i in range(6)]
  for i, path in enumerate(paths):
    pathlib.Path(path).write_bytes(_encoded(i))
  data = hub.Dataset.from_dict({'image': paths, 'dx': _LABELS})
  data = data.cast_column('image', hub.Image())
  cohort = _cohort(tmp_path / 'run', data, ['ill', 'well'] * 3)
  assert [str(cohort.source.root / c.path) for c in cohort.candidates] == paths
  assert _columns(cohort, 'dx') == ['1', '0'] * 3


def test_rows_that_were_chosen_or_shuffled_are_those(tmp_path) -> None:
  data = _labelled([None] * 6).select([4, 1])
  cohort = _cohort(tmp_path, data)
  assert [c.label for c in cohort.candidates] == ['ill', 'well']
  found = [cohort.source.root / c.path for c in cohort.candidates]
  assert [f.read_bytes() for f in found] == [_encoded(4), _encoded(1)]


def test_splits_by_name_are_named_splits(tmp_path) -> None:
  whole = _labelled([None] * 6)
  data = hub.DatasetDict(
    train=whole.select(range(3)),
    validation=whole.select([3]),
    test=whole.select([4, 5]),
  )
  cohort = _cohort(tmp_path, data, groups=[1, 1, 2, 2, 3, 3])
  assert [c.split for c in cohort.candidates] == [
    *['train'] * 3,
    'validation',
    *['test'] * 2,
  ]
  assert [c.group for c in cohort.candidates] == ['1', '1', '2', '2', '3', '3']


@pytest.mark.parametrize('kind', ['list', 'fixed', 'numbers'])
def test_lists_or_numbers_are_features(kind, tmp_path) -> None:
  matrix = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
  if kind == 'numbers':
    data = {f'f{i}': matrix[:, i] for i in range(3)}
    features = {name: hub.Value('float32') for name in data}
  else:
    data = {'embedding': matrix.tolist()}
    length = 3 if kind == 'fixed' else -1
    features = {'embedding': hub.List(hub.Value('float32'), length=length)}
  data = hub.Dataset.from_dict(
    {**data, 'label': _LABELS, 'patient': list('xxyyzz')},
    features=hub.Features({
      **features,
      'label': _CLASSES,
      'patient': hub.Value('string'),
    }),
  )
  cohort = _cohort(tmp_path, data, groups='patient')
  np.testing.assert_array_equal(cohort.source.matrix, matrix)
  assert [c.label for c in cohort.candidates] == ['ill', 'well'] * 3
  assert [c.group for c in cohort.candidates] == list('xxyyzz')


def test_a_second_label_is_audited_and_a_missing_one_is_none(tmp_path) -> None:
  data = _pictures(
    [None] * 6,
    label=(_LABELS, _CLASSES),
    dx=([1, -1, None, 0, 1, 0], _CLASSES),
    boxes=([[[1.0]]] * 6, hub.List(hub.List(hub.Value('float32')))),
    notes=([{'a': 1}] * 6, {'a': hub.Value('int32')}),
  )
  with pytest.raises(UserError, match='y is missing: name the column'):
    inputs.of(data)
  with pytest.warns(
    UserWarning, match='columns boxes, notes of X hold neither'
  ):
    cohort = _cohort(tmp_path, data, 'dx')
  assert [c.label for c in cohort.candidates] == [
    *('ill', '', '', 'well', 'ill', 'well'),
  ]
  assert _columns(cohort, 'label of X') == ['ill', 'well'] * 3


def _ragged() -> hub.Dataset:
  return hub.Dataset.from_dict({'e': [[1.0, 2.0], [1.0]], 'label': [0, 1]})


@pytest.mark.parametrize(
  'data, more, says',
  [
    (lambda: _labelled([None] * 6).to_iterable_dataset(), (), 'is a stream'),
    (lambda: _labelled([None] * 6), ('age',), "y is 'age', but X has no such"),
    (lambda: _labelled([None] * 6), ('image',), "y is 'image', but X has no"),
    (lambda: _labelled([None] * 6), ([1, 0],), 'y has 2 values, but X has 6'),
    (
      lambda: hub.DatasetDict(train=_labelled([None] * 6), test=_ragged()),
      (),
      'splits train, test of X differ in their columns',
    ),
    (
      _ragged,
      (),
      "Row 1 of the column 'e' of X has 1 numbers, but row 0 has 2",
    ),
    (
      lambda: hub.Dataset.from_dict({'path': ['a'], 'label': [0]}),
      (),
      'neither pictures nor numbers, but path: cast',
    ),
    (
      lambda: _pictures(
        [None], mask=([None], hub.Image()), label=([0], _CLASSES)
      ),
      (),
      "columns image, mask: keep one, as by X.remove_columns(['mask'])",
    ),
  ],
)
def test_what_cannot_be_told_is_said(data, more, says) -> None:
  with pytest.raises(UserError, match=re.escape(says)):
    inputs.of(data(), *more)


def test_a_row_without_a_picture_is_named() -> None:
  data = hub.Dataset.from_dict(
    {'image': [{'bytes': _encoded(0), 'path': None}, None], 'label': [0, 1]},
    features=hub.Features({'image': hub.Image(), 'label': _CLASSES}),
  )
  with pytest.raises(UserError, match='Row 1 of X has no picture'):
    inputs.of(data)


@pytest.mark.slow
def test_a_study_of_a_data_set_is_that_of_its_arrays(tmp_path) -> None:
  rng = np.random.default_rng(0)
  y = np.arange(90) % 2
  X = rng.normal(size=(90, 6)) + y[:, None]
  data = hub.Dataset.from_dict({'embedding': X.tolist(), 'label': y.tolist()})
  kept = []
  for name, given in (('hub', (data,)), ('arrays', (X, y))):
    study = heterojax.RetrainingStudy(
      k=2,
      verdict__worlds=9,
      verdict__partitions=9,
      positive='1',
      negative='0',
      workdir=tmp_path / name,
    )
    kept.append(study.fit(*given))
  for name in ('probability', 'cluster', 'split'):
    np.testing.assert_array_equal(kept[0].images_[name], kept[1].images_[name])
  assert kept[0].verdict_ == kept[1].verdict_


def test_damaged_files_are_written_anew(tmp_path: pathlib.Path) -> None:
  given = inputs.of(_labelled([f'/far/{i}_left.jpg' for i in range(6)]))
  with inputs.kept(given, tmp_path):
    pass
  file = pathlib.Path(given.within(tmp_path)).with_name('3_left.jpg')
  file.write_bytes(_encoded(4))
  with inputs.kept(given, tmp_path):
    assert file.read_bytes() == _encoded(3)
