"""Images of a run for other programs: what they read back."""

import csv
import json
import pathlib

import numpy as np
import pandas
from PIL import Image
import pytest
from test_ranking import ILL
from test_ranking import WELL
from test_ranking import run_of
from test_ranking import scores

import heterojax
from heterojax.api import results
from heterojax.errors import UserError
from heterojax.launch import compare
from heterojax.launch import export
from heterojax.run import artifacts
from heterojax.run import run_folder
from heterojax.studies import images

SCORES = scores(12, 2, 0)


@pytest.fixture(name='run')
def _run(tmp_path) -> pathlib.Path:
  """A finished run on a folder with twelve images."""
  photos = tmp_path / 'photos'
  photos.mkdir()
  for i in range(12):
    Image.new('L', (8, 8), i).save(photos / f'{i}.png')
  data = {'dir': str(photos), 'images': ''}
  folder = run_of(tmp_path / 'run', SCORES, patients=2, data=data)
  return pathlib.Path(folder)


def exported(run: pathlib.Path, to: str, *more: str) -> int:
  return export.main(['export', str(run), f'--to={to}', *more])


def test_tables_hold_each_image(run, capsys) -> None:
  assert exported(run, 'csv') == 0
  path = run / 'export' / 'images.csv'
  assert str(path) in capsys.readouterr().out
  with path.open(newline='') as file:
    rows = list(csv.DictReader(file))
  table = pandas.read_csv(path)
  assert list(table['probability']) == list(SCORES)
  assert list(table['label']) == [WELL, ILL] * 6
  assert list(table['group']) == [f'p{i // 2}' for i in range(12)]
  assert [*rows[0]][:5] == ['id', 'path', 'label', 'group', 'split']
  right = (SCORES > 0.5) == (np.arange(12) % 2 == 1)
  assert list(table['correct']) == list(right)
  images.write(run)  # What a run itself writes.
  assert (run / images.NAME).read_bytes() == path.read_bytes()


def _broken(path: pathlib.Path, old: str, new: str) -> None:
  text = path.read_text()
  assert old in text
  path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
  ('name', 'old', 'new', 'says'),
  [
    ('manifest', 'i3,', 'i3,x,', 'longer than argument 1'),
    ('manifest', ',group', ',grape', "it has no column 'group'"),
    ('clusters', 'id,', 'ID,', "it has no column 'id'"),
    ('clusters', 'i3,', 'i33,', "'i33' is not in manifest.csv"),
  ],
)
def test_a_damaged_table_is_named(
  run, capsys, name: str, old: str, new: str, says: str
) -> None:
  _broken(run / f'{name}.csv', old, new)
  assert exported(run, 'csv') == 2
  assert exported(run, 'fiftyone') == 2
  assert compare.main(['compare', str(run)]) == 2
  said = capsys.readouterr().err.splitlines()
  assert len(said) == 3
  for line in said:
    assert f'{run}/{name}.csv is damaged (' in line and says in line


def test_a_label_that_is_no_class_is_named(run, capsys) -> None:
  _broken(run / 'manifest.csv', ILL, 'neither')
  assert compare.main(['compare', str(run)]) == 2
  assert "'neither' is no class or no" in capsys.readouterr().err


def test_a_configuration_without_data_is_named(run, capsys) -> None:
  _broken(run / 'config.json', '"images"', '"photos"')
  assert exported(run, 'fiftyone') == 2
  assert 'config.json is damaged (it does not say' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('column', 'cell'), [('cluster', 'x'), ('cluster', '0.5'), ('correct', '1')]
)
def test_a_column_of_another_kind_is_named(run, column: str, cell: str) -> None:
  path = run / 'clusters.csv'
  header, first, *rest = path.read_text().splitlines()
  cells = first.split(',')
  cells[header.split(',').index(column)] = cell
  path.write_text('\n'.join([header, ','.join(cells), *rest, '']))
  with pytest.raises(UserError, match=rf'clusters\.csv is damaged \({column}'):
    results.images(run)


def test_parquet_has_types(run, tmp_path) -> None:
  path = tmp_path / 'mine.parquet'
  assert exported(run, 'parquet', f'--out={path}') == 0
  table = pandas.read_parquet(path)
  assert list(table['probability']) == list(SCORES)
  assert table['correct'].dtype == bool and table['cluster'].dtype == np.int64
  assert list(table['id']) == [f'i{i}' for i in range(12)]


def test_fiftyone_of_the_user_stays(run, tmp_path, capsys) -> None:
  """Its importer has files of the same names beside the images."""
  labels = tmp_path / 'photos' / 'labels.json'
  labels.write_text('mine')
  assert exported(run, 'fiftyone', f'--out={labels.parent}') == 2
  assert 'holds labels.json beside other files' in capsys.readouterr().err
  assert labels.read_text() == 'mine'
  assert not labels.with_name('data.json').exists()
  labels.unlink()
  for _ in range(2):  # The second time they are its own.
    assert exported(run, 'fiftyone', f'--out={labels.parent}') == 0


def test_fiftyone_finds_the_files(run) -> None:
  assert exported(run, 'fiftyone') == 0
  folder = run / 'export' / 'fiftyone'
  media, labels = (
    json.loads((folder / f'{name}.json').read_text())
    for name in ('data', 'labels')
  )
  assert [*labels] == ['classes', 'labels']
  assert labels['classes'] == [ILL, WELL]
  assert media.keys() == labels['labels'].keys()
  for i in range(12):
    with Image.open(media[f'i{i}']) as image:
      assert image.getpixel((0, 0)) == i
    found = labels['labels'][f'i{i}']
    assert found['label'] == (ILL if i % 2 else WELL)
    assert found['attributes']['probability'] == SCORES[i]
    assert found['attributes']['correct'] is bool((SCORES[i] > 0.5) == (i % 2))


def test_fiftyone_has_no_copies(run) -> None:
  """An augmented copy is in no file: that of its image is not what it shows."""
  with (run / 'clusters.csv').open('a') as file:
    file.write('i3+1,train,0,1.0,0.5,true\n')
  for to in ('csv', 'fiftyone'):
    assert exported(run, to) == 0
  assert '\ni3+1,3.png,' in (run / 'export' / 'images.csv').read_text()
  for name in ('data', 'labels'):
    tree = json.loads(
      (run / 'export' / 'fiftyone' / f'{name}.json').read_text()
    )
    ids = tree if name == 'data' else tree['labels']
    assert [*ids] == [f'i{i}' for i in range(12)]


@pytest.mark.parametrize('to', ['csv', 'fiftyone'])
def test_nothing_is_exported_through_a_link(run, tmp_path, to, capfd) -> None:
  (tmp_path / 'mine').mkdir()
  (run / 'export').symlink_to(tmp_path / 'mine')
  assert exported(run, to) == 2
  assert f'{run / "export"} is a link, and' in capfd.readouterr().err
  assert not any((tmp_path / 'mine').iterdir())


def test_what_cannot_be_exported(run, capfd) -> None:
  for words, says in (
    (['--to=excel'], "--to is 'excel', but must be one of csv, parquet"),
    (['--to=csv', '--out=gs://bucket/x'], 'an address'),
  ):
    assert export.main(['export', str(run), *words]) == 2
    assert says in capfd.readouterr().err
  for path in (run.parent / 'photos').iterdir():
    path.unlink()
  assert exported(run, 'fiftyone') == 2
  assert 'FiftyOne shows files' in capfd.readouterr().err
  (run / 'clusters.csv').unlink()
  assert exported(run, 'csv') == 2
  assert 'has not finished' in capfd.readouterr().err


def test_a_run_that_is_not_finished_is_not_read(run, capsys) -> None:
  """It may hold an earlier one's answers beside the labels of now."""
  (run / 'environment.json').write_text('{}')
  for command in exported, lambda run, _: compare.main(['compare', str(run)]):
    assert command(run, 'csv') == 2
    says = 'holds a run that has not finished: give the command of its study'
    assert says in capsys.readouterr().err
  with pytest.raises(UserError, match='holds a run that has not finished'):
    heterojax.load(run)
  artifacts.seal(run)
  assert exported(run, 'csv') == 0
  with run_folder.locked(run, 'run folder', 'workdir'):
    assert exported(run, 'csv') == 4
    assert compare.main(['compare', str(run)]) == 4
  assert compare.main(['compare', str(run)]) == 0
