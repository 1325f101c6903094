"""A study that no module but the registry names: the toy of `toy_study`."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from toy_study import TOY
from toy_study.study import View

from heterojax.errors import UserError
from heterojax.launch import compare
from heterojax.launch import features
from heterojax.launch import prepare
from heterojax.launch import report
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.records import codec
from heterojax.report import views
from heterojax.run import apart
from heterojax.run import artifacts
from heterojax.run import checkpoint
from heterojax.run import run_folder
from heterojax.studies import reading
from heterojax.studies import registry
from heterojax.studies.pages import common

_IDENTICAL = 'All that was compared is identical to the bit.'


@pytest.fixture(name='config', scope='module', autouse=True)
def _config(toy_config: str) -> str:
  return toy_config


@pytest.fixture(name='finished', scope='module')
def _finished(
  config: str, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  folder = tmp_path_factory.mktemp('runs') / 'toy'
  words = ['study.py', config, f'--workdir={folder}']
  assert study.main([*words, '--fail_if=halves[1].size < 1']) == 0
  return folder


@pytest.fixture(name='run')
def _run(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  """A copy that a test may damage."""
  return shutil.copytree(finished, tmp_path / 'run')


def launch(config: str, folder: pathlib.Path, *more: str) -> int:
  return study.main(['study.py', config, f'--workdir={folder}', *more])


def redraw(folder: pathlib.Path) -> int:
  return report.main(['report.py', f'--workdir={folder}'])


def contents(folder: pathlib.Path) -> dict[str, bytes]:
  paths = [path for path in folder.rglob('*') if path.is_file()]
  return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def one_sentence(error: str, says: str) -> None:
  # What a study reads is said before what takes long is imported.
  lines = [x for x in error.splitlines() if not x.startswith('Reading demo (')]
  assert len(lines) == 1 and lines[0].startswith('heterojax: '), error
  assert says in error and error.rstrip().endswith('.')


def test_what_it_leaves(finished: pathlib.Path) -> None:
  results = reading.read(finished / 'results.json')
  assert isinstance(results, TOY.results)
  tree = json.loads((finished / 'results.json').read_text())
  assert codec.encode(results) == tree
  # 60 images, of which a fifth and a fifth of the rest are no training images.
  sizes = [half.size for half in results.halves]
  view = views.load(finished, View)
  assert sum(sizes) == len(view.norm) and abs(sizes[0] - sizes[1]) <= 1
  assert sizes[1] == np.sum(view.norm > np.median(view.norm))
  lines = (finished / 'tables/halves.csv').read_text().splitlines()
  assert lines[0] == 'size,positive_share' and len(lines) == 3
  assert list(tree['timings']) == ['data', 'features', 'clusters']
  assert tree['environment'] == json.loads(
    (finished / 'environment.json').read_text()
  )
  config = json.loads((finished / 'config.json').read_text())
  assert config['study'] == 'toy' and config['cluster']['k'] == 2
  assert 'view.npz' in artifacts.read(finished)


def test_what_it_would_do(config: str, tmp_path: pathlib.Path, capsys) -> None:
  assert launch(config, tmp_path / 'run', '--dry_run') == 0
  lines = capsys.readouterr().out.splitlines()
  assert 'training' in lines[0] and lines[1].startswith('Features: 1280 ')
  assert lines[2].startswith('0 heads: at most 0 image passes')
  assert not (tmp_path / 'run').exists()


def test_its_own_rules(config: str, tmp_path: pathlib.Path, capfd) -> None:
  more = '--config.data.task=regression'
  assert launch(config, tmp_path / 'run', more) == 2
  one_sentence(capfd.readouterr().err, 'The toy study has no task regression')


@pytest.mark.parametrize(
  'condition, says',
  [
    ('halves[2].size < 5', 'there is no halves[2], halves has 2 entries'),
    ('halves[0].auc < 5', "halves[0] has no field 'auc'"),
    ('overall.accuracy < 5', "they have no field 'overall'"),
    ('study < 5', 'study < 5 is not of numbers'),
  ],
)
def test_conditions_are_over_its_record(
  config: str, tmp_path: pathlib.Path, capfd, condition: str, says: str
) -> None:
  assert launch(config, tmp_path / 'run', f'--fail_if={condition}') == 2
  one_sentence(capfd.readouterr().err, says)
  assert not (tmp_path / 'run').exists()


def test_a_condition_that_holds(config: str, run: pathlib.Path, capfd) -> None:
  condition = "halves[0].positive_share_why == '' and halves[0].size > 0"
  assert launch(config, run, '--fail_if=halves[0].size > 0') == 1
  # A value that is there has no reason.
  assert launch(config, run, f'--fail_if={condition}') == 2
  one_sentence(capfd.readouterr().err.splitlines()[-1] + '\n', 'KeyError')


@pytest.mark.parametrize('stage', ['cluster', 'features', 'all'])
def test_a_rerun_gives_the_same_bits(
  finished: pathlib.Path, capfd, stage: str
) -> None:
  words = ['verify.py', f'--workdir={finished}', f'--rerun={stage}']
  assert verify.main(words) == 0
  assert capfd.readouterr().out.splitlines()[-1] == _IDENTICAL


def test_a_rerun_computes_what_it_compares(run: pathlib.Path, capfd) -> None:
  path = run / 'checkpoints' / 'clusters'
  about = json.loads((path / 'digests.json').read_text())['about']
  leaves = checkpoint.load(path)
  leaves['half'] = 1 - leaves['half']
  checkpoint.save(path, leaves, about)
  artifacts.seal(run)
  words = ['verify.py', f'--workdir={run}', '--rerun=cluster']
  assert verify.main(words) == 1
  assert 'clusters: half is different' in capfd.readouterr().out


def test_a_stage_that_it_has_not(finished: pathlib.Path, capfd) -> None:
  assert (
    verify.main(['verify.py', f'--workdir={finished}', '--rerun=heads']) == 2
  )
  one_sentence(capfd.readouterr().err, 'has no trained heads of its own')


def test_the_report_drawn_again(run: pathlib.Path, capsys) -> None:
  before = contents(run)
  assert redraw(run) == 0
  assert capsys.readouterr().out == f'The report is at {run / "report.html"}\n'
  assert contents(run) == before
  (run / 'report.html').unlink()
  assert redraw(run) == 0
  assert contents(run) == before
  assert artifacts.problems(run) == []


@pytest.mark.parametrize(
  'name, data, says',
  [
    ('results.json', b'{}', 'cannot be drawn again (truncated: results.json)'),
    ('view.npz', None, 'cannot be drawn again (missing: view.npz)'),
    ('tables/halves.csv', b'', 'cannot be drawn again (truncated: tables/'),
    (
      'tables/more.csv',
      b'',
      'cannot be drawn again (foreign: tables/more.csv)',
    ),
    ('artifacts.json', None, 'json, so the run has not finished)'),
  ],
)
def test_a_damaged_run_is_not_sealed_as_a_whole_one(
  run: pathlib.Path, capfd, name: str, data: bytes | None, says: str
) -> None:
  if data is None:
    (run / name).unlink()
  else:
    (run / name).write_bytes(data)
  before = contents(run)
  assert redraw(run) == 2
  one_sentence(capfd.readouterr().err, says)
  assert contents(run) == before


def test_a_run_of_an_earlier_release(run: pathlib.Path, capfd) -> None:
  (run / 'view.npz').unlink()
  artifacts.seal(run)
  assert redraw(run) == 2
  one_sentence(capfd.readouterr().err, 'made by an earlier release')


@pytest.mark.parametrize('what', ['no archive', 'a bomb'])
def test_a_view_that_cannot_be_read(
  run: pathlib.Path, capfd, what: str
) -> None:
  (run / 'view.npz').write_bytes(b'PK')
  if what == 'a bomb':  # A thousandth of what it becomes.
    np.savez_compressed(run / 'view.npz', norm=np.zeros(10**7))
  artifacts.seal(run)
  assert redraw(run) == 2
  one_sentence(capfd.readouterr().err, 'view.npz is damaged (')


@pytest.mark.parametrize('text', ['[]', '{"a":' * 100_000])
@pytest.mark.parametrize('name', ['config.json', 'environment.json'])
def test_a_run_whose_settings_are_none(
  run: pathlib.Path, capfd, name: str, text: str
) -> None:
  """Sealed all the same, as by somebody else."""
  (run / name).write_text(text)
  artifacts.seal(run)
  assert verify.main(['verify.py', f'--workdir={run}', '--rerun=all']) == 2
  one_sentence(capfd.readouterr().err, f'{name} is damaged (')
  if name == 'config.json':
    with pytest.raises(UserError, match='is damaged'):
      common.config(run)


@pytest.mark.parametrize(
  ('arrays', 'says'),
  [({'norm': 0, 'angle': 0}, 'angle is new'), ({}, 'norm is missing')],
)
def test_a_view_of_another_release(
  run: pathlib.Path, capfd, arrays: dict, says: str
) -> None:
  np.savez(run / 'view.npz', **arrays)
  artifacts.seal(run)
  assert redraw(run) == 2
  said = f'view.npz was written by another release of heterojax ({says}): use'
  one_sentence(capfd.readouterr().err, said)


def test_a_run_of_a_study_that_is_not_there(
  run: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
  monkeypatch.delitem(registry.STUDIES, 'toy')
  assert redraw(run) == 2
  one_sentence(
    capfd.readouterr().err,
    "is of the study 'toy', which this version of heterojax does not know",
  )
  assert verify.main(['verify.py', f'--workdir={run}', '--rerun=all']) == 2
  one_sentence(
    capfd.readouterr().err,
    "--config.study is 'toy', but must be one of retraining, sample_size.",
  )


def test_a_run_that_others_use(run: pathlib.Path, capfd) -> None:
  with run_folder.locked(run, 'run folder', 'workdir'):
    assert redraw(run) == 4
  one_sentence(capfd.readouterr().err, 'is in use by another run')


@pytest.mark.parametrize('name', ['missing', ''])
def test_no_run_at_all(tmp_path: pathlib.Path, capfd, name: str) -> None:
  words = f'--workdir={tmp_path / name if name else ""}'
  assert report.main(['report.py', words]) == 2
  says = 'is no run folder' if name else 'Say which run it is'
  one_sentence(capfd.readouterr().err, says)
  assert not list(tmp_path.iterdir())


def test_a_study_that_cannot_be_compared(finished: pathlib.Path, capfd) -> None:
  assert compare.main(['compare.py', f'--workdirs={finished}']) == 2
  one_sentence(capfd.readouterr().err, "is of the study 'toy': only those of")


def test_a_study_that_does_not_exist(
  config: str, tmp_path: pathlib.Path, capfd
) -> None:
  assert launch(config, tmp_path / 'run', '--config.study=nope') == 2
  one_sentence(
    capfd.readouterr().err,
    "--config.study is 'nope', but must be one of retraining, sample_size,"
    ' toy.',
  )
  assert not (tmp_path / 'run').exists()


def test_a_run_in_the_midst_of_its_data(tmp_path: pathlib.Path, capfd) -> None:
  """The same command would take it for a run, and no longer for data."""
  (tmp_path / 'ill').mkdir()
  (tmp_path / 'ill/1.png').touch()
  (tmp_path / 'link').symlink_to(tmp_path)
  where = f'--config.data.dir={tmp_path}'
  of = '--config=configs/folder.py'
  for folder in (tmp_path, tmp_path / 'link', tmp_path / 'link/ill'):
    assert launch(of, folder, where) == 2
    words = [of, where, '--shard=0/2', f'--workdir={folder}']
    assert features.main(['features', *words]) == 2
    assert prepare.main(['prepare', of, where, f'--out={folder}']) == 2
    assert capfd.readouterr().err.count('where the data are') == 3
  assert sorted(p.name for p in tmp_path.iterdir()) == ['ill', 'link']
  assert [p.name for p in (tmp_path / 'ill').iterdir()] == ['1.png']


def test_a_run_in_the_midst_of_data_at_home(
  tmp_path: pathlib.Path, monkeypatch
) -> None:
  """Shells leave the ~ of `data.dir=~/data`."""
  (tmp_path / 'data').mkdir()
  (tmp_path / 'data/1.png').touch()
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.setenv('USERPROFILE', str(tmp_path))
  for folder in (tmp_path, tmp_path / 'data'):
    with pytest.raises(UserError, match='where the data are'):
      apart.check(folder, 'workdir', ('~' if folder == tmp_path else '~/data',))


@pytest.mark.parametrize('pattern', ['f?.csv', '*.csv', '../*/f*.csv', '**/*'])
def test_a_run_beside_its_files_of_features(
  pattern: str, tmp_path: pathlib.Path, monkeypatch
) -> None:
  """The same command would take its tables for such files."""
  (tmp_path / 'run').mkdir()
  for name in ('f1.csv', 'f2.csv'):
    (tmp_path / name).touch()
  monkeypatch.chdir(tmp_path)
  for files in (pattern, f'{tmp_path}/{pattern}'):
    with pytest.raises(UserError, match='where the data are'):
      apart.check(tmp_path, 'workdir', (), files)
    apart.check(tmp_path / 'run', 'workdir', (), files)
    apart.check(tmp_path / 'new', 'workdir', (), files)
  apart.check(tmp_path, 'workdir', (), 'f1.csv')


@pytest.mark.parametrize('name', ['new', 'empty', 'begun'])
def test_a_run_beside_its_data(tmp_path: pathlib.Path, name: str) -> None:
  """Below their folder, but in none of theirs."""
  (tmp_path / 'empty').mkdir()
  (tmp_path / 'begun').mkdir()
  (tmp_path / 'begun/.lock').touch()
  (tmp_path / 'begun/notes.txt').touch()
  apart.check(tmp_path / name, 'workdir', (str(tmp_path), None, ''))
