"""Studies with logistic heads, by the command, against scikit-learn."""

import csv
import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from heterojax.errors import Interrupted
from heterojax.heads import optimum
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.run import checkpoint

_CANCER = load_breast_cancer()


def _launch(data: pathlib.Path, run: pathlib.Path, *args: str) -> int:
  config = '--config=features'
  if args and args[0].startswith(':'):
    config, args = f'{config}{args[0]}', args[1:]
  return study.main([
    'study.py',
    config,
    f'--config.data.dir={data}',
    '--config.data.positive=malignant',
    # Of 30 features.
    '--config.reduction.n_components=10',
    # The answer is asked elsewhere.
    '--config.verdict.worlds=0',
    f'--workdir={run}',
    *args,
  ])


def _json(path: pathlib.Path) -> Any:
  return json.loads(path.read_text())


def _results(run: pathlib.Path) -> dict[str, Any]:
  """All but what the clock says."""
  tree = _json(run / 'results.json')
  return {k: v for k, v in tree.items() if k not in ('timings', 'environment')}


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """The breast cancer data set as a file of ready features."""
  path = tmp_path_factory.mktemp('data') / 'features.csv'
  with path.open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['id', 'label', *range(_CANCER.data.shape[1])])
    for i, (x, y) in enumerate(zip(_CANCER.data, _CANCER.target, strict=True)):
      writer.writerow([i, _CANCER.target_names[y], *x.tolist()])
  return path


@pytest.fixture(scope='module')
def run(
  data: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
  workdir = tmp_path_factory.mktemp('runs') / 'run'
  assert _launch(data, workdir) == 0
  return workdir


@pytest.mark.medium
def test_the_head_of_all_images_is_scikit_learns(run: pathlib.Path) -> None:
  found = _json(run / 'results.json')
  with (run / 'clusters.csv').open() as file:
    rows = list(csv.DictReader(file))
  of = {
    split: [int(row['id']) for row in rows if row['split'] == split]
    for split in ('train', 'validation', 'test')
  }
  # Nothing stops early, and all that is not tested trains.
  assert len(of['train']) + len(of['test']) == 569 and not of['validation']
  x, y = _CANCER.data, _CANCER.target == 0
  (c,) = found['heads']['c']
  by = StandardScaler().fit(x[of['train']])
  model = LogisticRegression(C=c, max_iter=10**4, tol=1e-8)
  model.fit(by.transform(x[of['train']]), y[of['train']])
  want = model.predict_proba(by.transform(x))[:, 1]
  got = {int(row['id']): float(row['probability']) for row in rows}
  np.testing.assert_allclose([got[i] for i in range(569)], want, atol=1e-4)
  auc = roc_auc_score(y[of['test']], want[of['test']])
  assert found['overall']['auc'] == pytest.approx(auc, abs=0.002)


@pytest.mark.medium
def test_each_head_says_how_it_was_fitted(run: pathlib.Path) -> None:
  found = _json(run / 'results.json')
  names = _json(run / 'checkpoints' / 'heads.json')
  k, runs = len(found['clusters']), 5
  assert (
    len(names) == found['timings']['heads']['heads'] == 1 + k * (1 + 2 * runs)
  )
  (c,) = found['heads']['c']
  for head in names:
    assert head['c'] == c and head['converged'] and head['n_iter'] >= 0
  assert found['timings']['heads']['flops'] > 0
  leaves = checkpoint.load(run / 'checkpoints' / 'heads')
  assert leaves is not None
  x = _CANCER.data.astype(np.float32).astype(float)
  logits = x @ leaves['params.kernel'][0] + leaves['params.bias'][0]
  with (run / 'clusters.csv').open() as file:
    stored = {
      int(row['id']): float(row['probability']) for row in csv.DictReader(file)
    }
  want = [stored[i] for i in range(569)]
  np.testing.assert_allclose(1 / (1 + np.exp(-logits)), want, atol=1e-9)


@pytest.mark.medium
def test_the_report_names_what_was_fitted(run: pathlib.Path) -> None:
  page = (run / 'report.html').read_text()
  (c,) = _json(run / 'results.json')['heads']['c']
  assert f'fitted to their optimum (C = {c:g}, chosen by 5-fold' in page
  assert 'Heads are at their optimum: nothing stops early' in page
  for word in ('epochs with', 'Early stopping', 'Adam', 'validation part'):
    assert word not in page


@pytest.mark.medium
def test_random_sets_are_as_large_and_alike(run: pathlib.Path) -> None:
  for c in _json(run / 'results.json')['clusters']:
    assert len(c['retrained_runs']['runs']) == 1
    for family in ('random', 'random_same_mix'):
      for head in c[family]['runs']:
        assert head['distinct_originals'] == c['distinct_originals']
        if family == 'random_same_mix':
          assert head['class_counts'] == c['class_counts']
    assert 'random_originals' not in c


@pytest.mark.slow
def test_the_same_bits_and_nothing_damaged(
  data: pathlib.Path, run: pathlib.Path, tmp_path: pathlib.Path, capfd
) -> None:
  again = tmp_path / 'again'
  assert _launch(data, again) == 0
  assert _results(again) == _results(run)
  first, second = (
    checkpoint.load(folder / 'checkpoints' / 'heads') for folder in (run, again)
  )
  for name, leaf in first.items():
    np.testing.assert_array_equal(leaf, second[name])
  for flags in ((), ('--rerun=heads',)):
    assert verify.main(['verify.py', f'--workdir={again}', *flags]) == 0
  assert 'identical to the bit' in capfd.readouterr().out
  # Damaged heads are set aside and fitted anew.
  array = max(
    (again / 'checkpoints' / 'heads' / 'arrays').rglob('*'),
    key=lambda path: path.is_file() * path.stat().st_size,
  )
  content = bytearray(array.read_bytes())
  content[len(content) // 2] ^= 1
  array.write_bytes(content)
  assert verify.main(['verify.py', f'--workdir={again}']) == 1
  assert 'tampered: checkpoints/heads' in capfd.readouterr().out
  assert _launch(data, again) == 0
  assert 'is damaged' in capfd.readouterr().err
  assert _results(again) == _results(run)


@pytest.mark.slow
def test_stopped_between_two_folds(
  data: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  folds = '--config.split.folds=3'
  whole, stopped = tmp_path / 'whole', tmp_path / 'stopped'
  assert _launch(data, whole, folds) == 0
  fit, calls = optimum.fit, []

  def stops(*args: Any, **kwargs: Any) -> optimum.Fitted:
    calls.append(1)
    if len(calls) == 3:
      raise Interrupted('Stopped by hand.')
    return fit(*args, **kwargs)

  monkeypatch.setattr(checkpoint.Steps, 'due', lambda self: True)
  monkeypatch.setattr(optimum, 'fit', stops)
  assert _launch(data, stopped, folds) == 3
  monkeypatch.setattr(optimum, 'fit', fit)
  assert _launch(data, stopped, folds) == 0
  assert _results(stopped) == _results(whole)
  assert len(_results(whole)['heads']['c']) == 3
  both = [_json(path / 'results.json')['timings'] for path in (stopped, whole)]
  heads, every = (timings['heads']['heads'] for timings in both)
  assert heads < every
  # Once more: all heads are there.
  shutil.rmtree(stopped / 'tables')
  assert _launch(data, stopped, folds) == 0
  assert _json(stopped / 'results.json')['timings']['heads']['heads'] == 0
  assert _results(stopped) == _results(whole)


@pytest.mark.slow
def test_the_sample_size_study(
  data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  args = ('--config.sizes=100,all', '--config.cluster.trainings=2')
  workdir = tmp_path / 'run'
  assert _launch(data, workdir, ':study=sample_size', *args) == 0
  found = _json(workdir / 'results.json')
  assert len(found['heads']['c']) == 8
  page = (workdir / 'report.html').read_text()
  assert 'logistic regressions with an L2 penalty' in page
  for word in ('epochs with', 'arly stopping', 'validation part'):
    assert word not in page
  # Of 569 a quarter is tested; all others train.
  assert [fold['n_train'] for fold in found['sizes'][1]['folds']][0] == 426


@pytest.mark.slow
def test_heads_that_stop_early_are_a_flag_away(
  data: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  flag = '--config.heads.kind=keras'
  assert _launch(data, tmp_path / 'run', flag) == 0
  found = _json(tmp_path / 'run' / 'results.json')
  assert 'heads' not in found and found['dataset']['n_validation'] > 0
  assert found['overall']['auc'] > 0.95
  for c in found['clusters']:
    assert len(c['retrained_runs']['runs']) == 5
    assert c['retrained_runs']['runs'][0] == c['retrained']
  config = _json(tmp_path / 'run' / 'config.json')['heads']
  assert (config['epochs'], config['patience']) == (200, 20)
  assert config['monitor'] == 'val_loss'


@pytest.mark.parametrize(
  ('flags', 'says'),
  [
    (
      ('--config.heads.kind=keras', '--config.split.validation_share=0'),
      'stop early by a validation part',
    ),
    (('--config.heads.random_vary=initialisation',), 'no initialisation'),
    (('--config.heads.kind=linear',), 'keras, logistic'),
    (('--config.heads.c=-1',), '0 or more'),
    (('--config.heads.own_seeds=0',), '1 or more'),
  ],
)
def test_what_cannot_be(
  data: pathlib.Path, tmp_path: pathlib.Path, capfd, flags: tuple, says: str
) -> None:
  assert _launch(data, tmp_path / 'run', *flags) == 2
  assert says in capfd.readouterr().err


def test_what_would_be_done(
  data: pathlib.Path, tmp_path: pathlib.Path, capfd
) -> None:
  for flags, says in (
    ((), '45 heads at their optimum, without epochs, on 5460 training images'),
    (('--config.heads.kind=keras',), '61 heads: at most 1164800 image passes'),
  ):
    assert _launch(data, tmp_path / 'run', '--dry_run', *flags) == 0
    assert says in capfd.readouterr().out
