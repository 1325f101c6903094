"""Studies of more than two classes, by the command, against scikit-learn."""

import csv
import json
import pathlib
from typing import Any

from field_paths import foretold
from field_paths import unnamed
import numpy as np
import pytest
from sklearn import datasets
from sklearn import metrics as theirs
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from heterojax.launch import compare
from heterojax.launch import study
from heterojax.records import codec
from heterojax.studies import registry
from heterojax.studies import schemas

_WINE = datasets.load_wine()
_NAMES = ['barolo', 'grignolino', 'barbera']


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """The wine data set as a file of ready features."""
  path = tmp_path_factory.mktemp('data') / 'features.csv'
  with path.open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['id', 'label', *range(_WINE.data.shape[1])])
    for i, (x, y) in enumerate(zip(_WINE.data, _WINE.target, strict=True)):
      writer.writerow([f'w{i}', _NAMES[y], *x.tolist()])
  return path


def _launch(config: str, data: pathlib.Path, run: pathlib.Path, *args: str):
  return study.main([
    'study.py',
    f'--config={config}',
    f'--config.data.dir={data}',
    '--config.cluster.k=2',
    '--config.reduction.n_components=5',
    '--config.verdict.worlds=19',
    '--config.verdict.partitions=19',
    f'--workdir={run}',
    *args,
  ])


def _json(path: pathlib.Path) -> Any:
  return json.loads(path.read_text())


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
  with path.open(newline='') as file:
    return list(csv.DictReader(file))


@pytest.fixture(scope='module')
def run(data, tmp_path_factory) -> pathlib.Path:
  workdir = tmp_path_factory.mktemp('runs') / 'run'
  # A condition on a metric of several classes is known beforehand.
  code = _launch(
    'features',
    data,
    workdir,
    '--config.data.classes=barolo, grignolino,barbera',
    '--config.data.ordered',
    '--fail_if=overall.quadratic_kappa < 0',
  )
  assert code == 0
  return workdir


@pytest.mark.slow
def test_the_head_of_all_images_is_scikit_learns(run) -> None:
  found, rows = _json(run / 'results.json'), _rows(run / 'clusters.csv')
  at = {
    split: [int(row['id'][1:]) for row in rows if row['split'] == split]
    for split in ('train', 'test')
  }
  (c,) = found['heads']['c']
  by = StandardScaler().fit(_WINE.data[at['train']])
  model = LogisticRegression(C=c, max_iter=10**4, tol=1e-10)
  model.fit(by.transform(_WINE.data[at['train']]), _WINE.target[at['train']])
  want = model.predict_proba(by.transform(_WINE.data))
  got = {
    int(row['id'][1:]): [float(row[f'probability_{n}']) for n in _NAMES]
    for row in rows
  }
  np.testing.assert_allclose([got[i] for i in range(178)], want, atol=1e-4)
  for row in rows:
    own = want[int(row['id'][1:])]
    assert row['answer'] == _NAMES[np.argmax(own)]
    right = np.argmax(own) == _WINE.target[int(row['id'][1:])]
    assert row['correct'] == str(right).lower()
  y, p = _WINE.target[at['test']], want[at['test']]
  overall, answers = found['overall'], np.argmax(p, axis=1)
  assert overall['answers'] == theirs.confusion_matrix(y, answers).tolist()
  for name, value in (
    ('accuracy', theirs.accuracy_score(y, answers)),
    ('balanced_accuracy', theirs.balanced_accuracy_score(y, answers)),
    ('macro_auc', theirs.roc_auc_score(y, p, multi_class='ovr')),
    (
      'quadratic_kappa',
      theirs.cohen_kappa_score(y, answers, weights='quadratic'),
    ),
  ):
    assert overall[name] == pytest.approx(value, abs=1e-3)
  recalls = theirs.recall_score(y, answers, average=None)
  assert list(overall['sensitivities'].values()) == pytest.approx(recalls)
  assert not {'tp', 'auc', 'specificity'} & overall.keys()


@pytest.mark.slow
def test_what_is_written_of_it(run) -> None:
  found, config = _json(run / 'results.json'), _json(run / 'config.json')
  assert found['dataset']['classes'] == _NAMES and found['dataset']['ordered']
  assert 'positive' not in found['dataset']
  assert unnamed(foretold(config), found) == []
  kind = registry.get('retraining').results
  results = codec.decode(kind, found)
  assert codec.encode(results) == found
  jsonschema = pytest.importorskip('jsonschema', reason='of the extra dev')
  jsonschema.validate(found, json.loads(schemas.text('retraining')))
  for c in found['clusters']:
    assert sum(c['class_counts'].values()) == c['size']
    for head in c['random_same_mix']['runs']:
      assert head['class_counts'] == c['class_counts']
  of_class = {
    row['class']: row for row in _rows(run / 'tables' / 'classes.csv')
  }
  for i, name in enumerate(_NAMES):
    answered = [int(of_class[name][f'answered_{n}']) for n in _NAMES]
    assert answered == found['overall']['answers'][i]
  header = (run / 'tables' / 'table1_overall_accuracy.csv').exists()
  tables = {path.name for path in (run / 'tables').iterdir()}
  assert 'table1.csv' in tables or header
  for gap in found['verdict']['decomposition']:
    terms = ('fewer_images', 'class_mix', 'reach', 'another_rule')
    known = [gap[t]['value'] for t in terms if t in gap]
    if gap['gap'] is not None and len(known) == 4 and None not in known:
      assert sum(known) == pytest.approx(gap['gap'])


@pytest.mark.slow
def test_keras_heads_of_several_classes(data, run, tmp_path) -> None:
  """They stop early, and tell three wines apart as logistic ones do."""
  keras, flags = tmp_path / 'keras', ['--config.heads.kind=keras']
  flags += ['--config.data.classes=all', '--config.heads.learning_rate=0.01']
  flags += ['--config.verdict.worlds=0']
  assert _launch('features', data, keras, *flags) == 0
  found = _json(keras / 'results.json')
  # As they are called, shorter names first.
  assert found['dataset']['classes'] == ['barolo', 'barbera', 'grignolino']
  assert 'quadratic_kappa' not in found['overall']
  shape = np.shape([
    [float(row[f'probability_{n}']) for n in _NAMES]
    for row in _rows(keras / 'clusters.csv')
  ])
  assert shape == (178, 3)
  # Runs of the same classes stand beside each other; others by themselves.
  out = tmp_path / 'compared'
  args = [f'--workdirs={run},{keras}', f'--out={out}']
  assert compare.main(['compare.py', *args]) == 0
  groups = _json(out / 'comparison.json')['groups']
  assert [len(group['runs']) for group in groups] == [1, 1]


@pytest.mark.slow
def test_a_sample_size_study_of_several_classes(data, tmp_path) -> None:
  workdir = tmp_path / 'run'
  flags = ['--config.data.classes=all', '--config.sizes=90,178']
  flags += ['--config.cluster.trainings=2', '--config.split.folds=2']
  flags += ['--config.verdict.worlds=0']
  flags += ['--fail_if=sizes[1].folds[0].scores.macro_auc < 0.5']
  assert _launch('features:study=sample_size', data, workdir, *flags) == 0
  found, config = (
    _json(workdir / 'results.json'),
    _json(workdir / 'config.json'),
  )
  assert unnamed(foretold(config), found) == []
  rows = [r for r in _rows(workdir / 'clusters.csv') if r['n'] == '178']
  for number, fold in enumerate(found['sizes'][-1]['folds']):
    own = [r for r in rows if r['fold'] == str(number) and r['split'] == 'test']
    right = np.mean([r['correct'] == 'true' for r in own])
    assert fold['metric'] == fold['scores']['accuracy'] == pytest.approx(right)
  page = (workdir / 'report.html').read_text()
  assert '3 classes, barolo, barbera and grignolino' in page


def test_two_classes_are_named_elsewhere(data, tmp_path, capfd) -> None:
  for flags, said in (
    (['--config.data.classes=a,b', '--config.data.positive=a'], 'give three'),
    (['--config.data.classes=barolo,,barbera'], 'labels with commas'),
    (['--config.data.classes=barolo'], 'labels with commas'),
    (['--config.data.ordered'], 'grades'),
    # A kappa of labels in the order of their length says nothing.
    (['--config.data.classes=all', '--config.data.ordered'], 'no order'),
    (
      ['--config.data.classes=all', '--config.data.task=regression'],
      'no class',
    ),
    (['--config.data.classes=barolo,merlot,barbera'], "no label 'merlot'"),
    ([], '--config.data.classes=all'),
  ):
    assert _launch('features', data, tmp_path / 'run', *flags) == 2
    err = capfd.readouterr().err
    assert said in err and 'Traceback' not in err, flags
  assert not (tmp_path / 'run' / 'results.json').exists()
