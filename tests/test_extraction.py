"""Features alone are those of a study, with what each row is."""

import shutil

import numpy as np
import pytest

from heterojax.configs import features
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.features.store import Store
from heterojax.launch import main as launch
from heterojax.run import environment
from heterojax.run import run_folder
from heterojax.studies import extraction


@pytest.mark.slow
def test_features_of_made_up_images(tmp_path, capsys) -> None:
  out = tmp_path / 'f.npz'
  words = ['heterojax', 'features', 'demo:tiny', f'--out={out}']
  assert launch.main(words) == 0
  assert capsys.readouterr().out == f'The features of 60 images are at {out}\n'
  with np.load(out) as file:
    assert file['features'].shape == (60, 5120)
    assert {*file['label']} == {'disease', 'normal'}
    assert len({*file['id']}) == 60
  assert list(tmp_path.iterdir()) == [out]
  run = ['heterojax', str(out), '--dry_run']
  labels = ['data.positive=disease', 'data.negative=normal']
  assert launch.main([*run, *labels]) == 0
  assert '5120 numbers each' in capsys.readouterr().out


@pytest.mark.medium
def test_each_row_says_what_it_is(tmp_path, monkeypatch) -> None:
  taken_away, rmtree = [], shutil.rmtree

  def owned(folder, **options) -> None:
    taken_away.append(folder)
    # Another process would begin there what is taken away.
    with (
      pytest.raises(RefusedError),
      run_folder.locked(folder, 'folder of unfinished features', 'out'),
    ):
      pass
    rmtree(folder, **options)

  monkeypatch.setattr(shutil, 'rmtree', owned)
  table = tmp_path / 'f.csv'
  table.write_text(
    'id,label,group,f0,f1\na,ill,7,0.5,1\nb,well,8,2,3\nc,ill,8,4,5\n'
  )
  config = features.get_config()
  config.data.dir = str(table)
  config.data.positive, config.data.negative = 'ill', 'well'
  out = tmp_path / 'f.npz'
  assert extraction.extract(config.to_dict(), out, download=False) == 3
  with np.load(out) as file:
    rows = dict(file)
  order = np.argsort(rows['id'])
  assert rows.keys() == {'features', 'id', 'label', 'group'}
  assert [*rows['label'][order]] == ['ill', 'well', 'ill']
  assert [*rows['group'][order]] == ['7', '8', '8']
  assert rows['features'][order].tolist() == [[0.5, 1], [2, 3], [4, 5]]
  assert sorted(tmp_path.iterdir()) == [table, out]
  assert taken_away == [tmp_path / '.f.npz.parts']


@pytest.mark.medium
def test_features_of_two_environments_are_not_mixed(
  tmp_path, monkeypatch, capsys
) -> None:
  out = tmp_path / 'f.npz'
  words = ['heterojax', 'features', 'demo:tiny', f'--out={out}']
  here, write = environment.describe(), Store.write

  def stop(*block) -> None:
    write(*block)
    raise UserError('The disk is full.')

  monkeypatch.setattr(Store, 'write', stop)
  for cores in (1, 2):  # On which features do not depend.
    now = {**here, 'cores': cores}
    monkeypatch.setattr(environment, 'describe', now.copy)
    assert launch.main(words) == 2
    assert 'The disk is full.' in capsys.readouterr().err
  assert {'scipy', 'pillow', 'pydicom'} < here['packages'].keys()
  now['packages'] = {**here['packages'], 'pydicom': '2.4.0'}
  assert launch.main(words) == 4
  assert 'packages.pydicom was' in capsys.readouterr().err
  del now['packages']['pydicom']
  assert launch.main(words) == 4
  assert 'and is absent)' in capsys.readouterr().err
  now['heterojax'] = '0.1'
  assert launch.main(words) == 4
  assert 'choose another --out' in capsys.readouterr().err
  monkeypatch.setattr(Store, 'write', write)
  assert launch.main([*words, '--allow_mismatch']) == 0
  assert list(tmp_path.iterdir()) == [out]


def test_a_folder_is_no_file_of_features(tmp_path, capsys) -> None:
  words = ['heterojax', 'features', 'demo:tiny', f'--out={tmp_path}/f.npz']
  (tmp_path / 'f.npz').mkdir()
  assert launch.main(words) == 2
  assert 'which is a folder' in capsys.readouterr().err
  assert [path.name for path in tmp_path.iterdir()] == ['f.npz']


def test_features_are_not_made_of_features(tmp_path, capsys) -> None:
  table = tmp_path / 'f.csv'
  table.write_text('label,f0\n1,0.5\n')
  words = ['heterojax', 'features', str(table), f'--out={tmp_path}/g.npz']
  assert launch.main(words) == 2
  assert 'features already' in capsys.readouterr().err
