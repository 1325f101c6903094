"""A second data set, against scikit-learn on what the run folder holds."""

import csv
import dataclasses
import json
import pathlib
import types
from typing import Any

import jax
import numpy as np
import pytest
import retraining_results
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from heterojax import datasets
from heterojax.configs import features as features_config
from heterojax.configs import folder as folder_config
from heterojax.datasets import sources
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.features import Picture
from heterojax.heads.ensemble import Member
from heterojax.records.codec import Missing
from heterojax.stats import metrics
from heterojax.studies import checks
from heterojax.studies import partition
from heterojax.studies import registry
from heterojax.studies import running
from heterojax.studies.answer import terminal
from heterojax.studies.retraining import external
from heterojax.studies.retraining import external_data
from heterojax.studies.retraining.external_records import External
from heterojax.studies.retraining.external_records import Shift
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.retraining.pages import external as pages
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import page
from heterojax.studies.samples import Samples

_WIDTH = 5


class _Set:
  """A made-up file of features; its rows by id."""

  def __init__(self, path: pathlib.Path, n: int, seed: int, **how: Any):
    stream = np.random.default_rng(seed)
    self.path, self.y = path, stream.integers(0, 2, n)
    cloud = stream.integers(0, 2, n)
    self.x = stream.normal(size=(n, _WIDTH)).astype(np.float32)
    self.x[:, 0] += 6 * cloud
    self.x[:, 1] += 1.5 * self.y
    copied = how.get('copied')
    if copied is not None:  # Rows that another set has too.
      self.x[:2], self.y[:2] = copied.x[:2], copied.y[:2]
    self.ids = [f'{path.stem}{i}' for i in range(n)]
    self.site = [how.get('sites', ('a', 'b'))[c] for c in cloud]
    names = how.get('names', [f'f{i}' for i in range(_WIDTH)])
    with path.open('w', newline='') as file:
      out = csv.writer(file)
      out.writerow(['id', 'label', 'group', 'site', *names])
      for i in range(n):
        label = ('well', 'ill')[self.y[i]]
        row = [repr(float(v)) for v in self.x[i]]
        group = f'{how.get("patient", path.stem)} {i // 2}'
        out.writerow([self.ids[i], label, group, self.site[i], *row])


def _config(first: _Set, second: _Set | None, **fields: Any) -> dict[str, Any]:
  config = features_config.get_config('tiny')
  config.data.dir = str(first.path)
  config.data.external = str(second.path) if second else ''
  config.data.positive, config.data.negative = 'ill', 'well'
  config.cluster.k, config.verdict.worlds = 2, 0
  config.reduction.n_components, config.heads.random_runs = 3, 1
  config.update_from_flattened_dict(fields)
  return config.to_dict()


@pytest.fixture(name='sets', scope='module')
def _sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[_Set, _Set]:
  folder = tmp_path_factory.mktemp('sets')
  first = _Set(folder / 'first.csv', 120, 0)
  return first, _Set(folder / 'second.csv', 41, 1, copied=first)


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
  with path.open() as file:
    return list(csv.DictReader(file))


def _check(first: _Set, second: _Set, run: pathlib.Path, folds: int) -> None:
  """Recomputes all from the files of a run by scikit-learn."""
  results = json.loads((run / 'results.json').read_text())
  found, rows = results['external'], _rows(run / 'external.csv')
  assert [row['id'] for row in rows] == second.ids
  assert [row['included'] for row in rows] == ['false'] * 2 + ['true'] * 39
  assert rows[0]['reason'] == 'same image as first0 of the first data set'
  x, y = second.x[2:].astype(np.float64), second.y[2:]
  heads = json.loads((run / 'checkpoints' / 'heads.json').read_text())
  of_first = dict(zip(first.ids, range(len(first.ids)), strict=True))
  logits: dict[str, list[np.ndarray]] = {}
  for fold in range(folds):
    own = [
      r for r in _rows(run / 'clusters.csv') if r.get('fold', '0') == str(fold)
    ]
    train = [r for r in own if r['split'] == 'train']
    at = np.array([of_first[r['id']] for r in train])
    cluster = np.array([int(r['cluster']) for r in train])
    if fold == 0:
      pca = PCA(3).fit(first.x[at].astype(np.float64))
      z = pca.transform(first.x[at])
      centers = np.stack([z[cluster == c].mean(axis=0) for c in range(2)])
      # The images of both, here all of a patient, are not compared.
      test = [r for r in own if r['split'] == 'test']
      test = [r for r in test if r['id'] not in ('first0', 'first1')]
    scale = StandardScaler().fit(first.x[at])
    c = next(h['c'] for h in heads if h['fold'] == fold)
    for name, inside in (
      ('overall', cluster >= 0),
      ('0', cluster == 0),
      ('1', cluster == 1),
    ):
      head = LogisticRegression(C=c, solver='newton-cholesky', tol=1e-12)
      head.fit(scale.transform(first.x[at[inside]]), first.y[at[inside]])
      logits.setdefault(name, []).append(
        head.decision_function(scale.transform(x))
      )
  mean = {name: np.mean(each, axis=0) for name, each in logits.items()}
  apart = pca.transform(x)[:, None] - centers
  distance = np.linalg.norm(apart, axis=2)
  labels = distance.argmin(axis=1)
  assert [int(r['cluster']) for r in rows[2:]] == labels.tolist()
  np.testing.assert_allclose(
    [float(r['distance']) for r in rows[2:]], distance.min(axis=1), rtol=1e-4
  )
  np.testing.assert_allclose(
    [float(r['probability']) for r in rows[2:]],
    1 / (1 + np.exp(-mean['overall'])),
    atol=1e-5,
  )
  assert found['n'] == 39 and found['n_candidates'] == 41
  assert found['overall']['accuracy'] == np.mean((mean['overall'] > 0) == y)
  assert found['overall']['auc'] == pytest.approx(
    roc_auc_score(y, mean['overall'])
  )
  for c, entry in enumerate(found['clusters']):
    inside = labels == c
    assert entry['n'] == inside.sum()
    assert entry['class_counts'] == {
      'ill': y[inside].sum(),
      'well': (1 - y[inside]).sum(),
    }
    assert entry['distance'] == pytest.approx(
      distance[inside, c].mean(), rel=1e-4
    )
    mine = [r for r in test if r['cluster'] == str(c)]
    assert entry['n_test'] == len(mine)
    assert entry['distance_test'] == pytest.approx(
      np.mean([float(r['centroid_distance']) for r in mine])
    )
    right = (mean[str(c)] > 0) == y
    assert found['retrained'][c]['accuracy'] == np.mean(right)
    assert entry['retrained']['accuracy'] == np.mean(right[inside])
    assert entry['overall']['auc'] == pytest.approx(
      roc_auc_score(y[inside], mean['overall'][inside])
    )
  assert found['shift']['n_test'] == len(test)
  assert found['shift']['unit'] == 'patient'
  assert found['notes'][-1] == (
    '2 images are in the first data set as well, and left out, such as second0'
    ' (first0 there).'
  )
  page = (run / 'report.html').read_text()
  assert found['sentence'] in page and 'href="#external"' in page
  table = _rows(run / 'tables' / 'external.csv')
  assert [int(r['n']) for r in table] == [
    39,
    *(entry['n'] for entry in found['clusters']),
  ]
  assert str(second.path.parent) not in (run / 'results.json').read_text()
  assert str(second.path.parent) not in page


@pytest.mark.slow
@pytest.mark.parametrize('folds', [0, 2])
def test_as_scikit_learn(
  sets: tuple[_Set, _Set], tmp_path: pathlib.Path, folds: int
) -> None:
  """Nor does it change anything else; and a resumed run has the same bits."""
  first, second = sets
  how = {'split.folds': folds}
  config = _config(first, second, **how)
  running.run(config, tmp_path / 'run')
  _check(first, second, tmp_path / 'run', max(folds, 1))
  alone = running.run(_config(first, None, **how), tmp_path / 'alone')
  again = running.run(config, tmp_path / 'run')
  assert alone['external'] is None
  assert alone['external_why'].startswith('no second data set')
  kept = {'external', 'external_why', 'timings', 'environment'}
  for name in alone.keys() - kept:
    assert json.dumps(alone[name]) == json.dumps(again[name]), name
  before = (tmp_path / 'run' / 'external.csv').read_bytes()
  (tmp_path / 'run' / 'external.csv').unlink()
  once_more = running.run(config, tmp_path / 'run')
  assert once_more['external'] == again['external']
  assert (tmp_path / 'run' / 'external.csv').read_bytes() == before


@pytest.mark.medium
def test_the_forecast_counts_it(sets: tuple[_Set, _Set]) -> None:
  text = running.forecast(
    _config(*sets), fail_if='external.shift.p_value < 0.05'
  )
  assert 'A second data set adds 39.' in text
  with pytest.raises(UserError, match='external'):
    running.forecast(
      _config(sets[0], None), fail_if='external.shift.p_value < 0.05'
    )


@pytest.mark.parametrize(
  ('fields', 'words'),
  [
    ({'cluster.method': 'gmm'}, 'nearest centroid'),
    ({'cluster.method': 'ids:groups.csv'}, 'column that both data sets have'),
    ({'reduction.fit': 'separate'}, 'components of the training images'),
    ({'data.external': 'https://host/b.csv'}, 'data.external'),
  ],
)
def test_settings_that_cannot_be(
  sets: tuple[_Set, _Set], fields: dict[str, Any], words: str
) -> None:
  with pytest.raises(UserError, match=words):
    registry.settings(_config(*sets, **fields))


def test_the_sample_size_study_has_none() -> None:
  config = folder_config.get_config('study=sample_size')
  config.data.dir, config.data.external = 'a', 'b'
  with pytest.raises(UserError, match='belongs to the retraining study'):
    registry.settings(config.to_dict())


def test_data_that_cannot_be(
  sets: tuple[_Set, _Set], tmp_path: pathlib.Path
) -> None:
  first, second = sets
  named = [f'g{i}' for i in range(_WIDTH)]
  other = _Set(tmp_path / 'other.csv', 20, 5, names=named)
  fewer = tmp_path / 'fewer.csv'
  lines = second.path.read_text().splitlines()
  fewer.write_text('\n'.join(line.rpartition(',')[0] for line in lines))
  lost = tmp_path / 'lost.csv'
  lost.write_text(second.path.read_text().replace('ill', 'sick'))
  for path, words in (
    (first.path, 'All 120 images of .* name another data set'),
    (other.path, "Feature 1 of .* is 'f0' .* is 'g0'"),
    (fewer, '5 features and .* has 4'),
    (lost, "has no label 'ill'"),
    (tmp_path / 'none.csv', '--config.data.external'),
  ):
    config = _config(first, second)
    config['data']['external'] = str(path)
    with pytest.raises(UserError, match=words):
      running.forecast(config)


@pytest.mark.slow
def test_known_groups_are_those_of_the_column(
  sets: tuple[_Set, _Set], tmp_path: pathlib.Path
) -> None:
  first, _ = sets
  second = _Set(tmp_path / 'new.csv', 60, 9, sites=('b', 'c'), patient='first')
  config = _config(first, second, **{'cluster.method': 'column:site'})
  found = running.run(config, tmp_path / 'run')['external']
  n = second.site.count('b')
  assert [c['n'] for c in found['clusters']] == [0, n]
  assert found['clusters'][0]['distance'] is None
  both = len({i // 2 for i, site in enumerate(second.site) if site == 'b'})
  assert f'{both} patients or groups' in found['notes'][-1]
  rows = _rows(tmp_path / 'run' / 'external.csv')
  for row, site in zip(rows, second.site, strict=True):
    why = "site 'c' is no group of the first data set" if site == 'c' else ''
    assert row['reason'] == why


def test_places_in_known_groups(sets: tuple[_Set, _Set]) -> None:
  def cohort(cells: list[str]) -> Cohort:
    candidates = (
      Candidate(str(i), '', 'ill', '', columns=(('age', cell),))
      for i, cell in enumerate(cells)
    )
    root = sources.Files(pathlib.Path('root'))
    return Cohort('made up', root, ('ill', 'well'), tuple(candidates))

  def placed(first: list[str], others: list[str], k: int) -> list[int | str]:
    settings = registry.settings(_config(*sets))
    cluster = dataclasses.replace(
      settings.cluster, method='column:age', min_size=2, k=k
    )
    chosen = partition.restrict(cluster, cohort(first))
    return list(partition.place(cluster, [chosen], cohort(others)).values())

  # Bands of 1 to 12: up to 4, up to 8, and what is above.
  assert placed([*map(str, range(1, 13))], ['0', '4', '4.5', '99', 'x'], 3) == [
    0, 0, 1, 2, "its age 'x' is no number"
  ]  # fmt: skip
  # What is small is `other`, which holds no value that was not seen.
  first = ['old'] * 3 + ['young'] * 3 + ['new', 'born']
  assert placed(first, ['young', 'born', '', 'else'], 2) == [
    1, 2, 'its age is not known',
    "age 'else' is no group of the first data set",
  ]  # fmt: skip
  with pytest.raises(UserError, match="no column 'age'"):
    settings = registry.settings(_config(*sets))
    cluster = dataclasses.replace(settings.cluster, method='column:age')
    others = dataclasses.replace(
      cohort(['1']), candidates=(Candidate('0', '', 'ill', ''),)
    )
    partition.place(cluster, [cohort(['1', '2'])], others)


def _outcome(k: int, folds: int, empty: bool) -> Outcome:
  """Two classes in a plane without reduction; the last cluster may be empty."""
  stream = np.random.default_rng(folds)
  n, key = 40, jax.random.key(0)
  y = np.arange(n) % 2
  x = stream.normal(size=(n, 2)).astype(np.float32)
  ids = tuple(map(str, range(n)))
  found = []
  for fold in range(folds):
    split = np.where(np.arange(n) % 5 == fold, 'test', 'train')
    samples = Samples(
      ids, ids, (IDENTITY,) * n, split, y, np.arange(n),
      tuple(Picture(i, IDENTITY) for i in ids), y,
    )  # fmt: skip
    centers = stream.normal(size=(k, 2))
    distance = np.linalg.norm(x[:, None] - centers, axis=2)
    member = Member(np.arange(3), np.arange(3), key, key)
    names = [HeadName('overall'), HeadName('random', 0, 0)]
    names += [HeadName('cluster', c) for c in range(k - empty)]
    clusters = Clusters(
      x, centers, distance.argmin(axis=1), distance.min(axis=1), None
    )
    heads = dict.fromkeys(names, member)
    found.append(Fold(samples, clusters, heads, np.zeros((len(names), n))))
  return Outcome(sources.Files(pathlib.Path('root')), x, tuple(found))


@pytest.mark.parametrize(('folds', 'empty'), [(1, False), (3, True)])
def test_by_loops(
  sets: tuple[_Set, _Set], tmp_path: pathlib.Path, folds: int, empty: bool
) -> None:
  k, e, stream = 3, 12, np.random.default_rng(7)
  outcome = _outcome(k, folds, empty)
  candidates = [
    Candidate(f'e{i}', '', ('ill', 'well')[i % 2], f'p{i // 3}')
    for i in range(e)
  ]
  candidates.insert(4, candidates[4].left_out('broken'))
  candidates[4] = dataclasses.replace(candidates[4], id='out')
  second = Cohort('new', outcome.source, ('ill', 'well'), tuple(candidates))
  first = dataclasses.replace(second, name='old', external=second)
  config = _config(*sets, **{'cluster.k': k, 'reduction.method': 'none'})
  settings = registry.settings(config)
  x = 3 * stream.normal(size=(e, 2)).astype(np.float32)
  heads = [len(fold.heads) for fold in outcome.folds]
  logits = stream.normal(size=(sum(heads), e))
  answered = external.Answered(x, logits)
  found = external.find(settings, [first], outcome, answered)
  record = external.describe(settings, [first], outcome, found)
  of_head = [
    np.mean([logits[f * heads[0] + h] for f in range(folds)], axis=0)
    for h in range(heads[0])
  ]
  y = [1 - i % 2 for i in range(e)]
  where = []
  for row in x:
    apart = [np.linalg.norm(row - z) for z in outcome.folds[0].clusters.centers]
    where.append(int(np.argmin(apart)))
  assert found.labels.tolist() == where and found.y.tolist() == y
  assert record.class_counts == {'ill': 6, 'well': 6}
  assert record.overall.value('accuracy') == np.mean((of_head[0] > 0) == y)
  for c, cluster in enumerate(record.clusters):
    inside = [i for i in range(e) if where[i] == c]
    assert cluster.n == len(inside)
    if empty and c == k - 1:
      assert record.retrained[c].n == 0
      why = record.retrained[c].why('accuracy')
      assert why == 'not estimable: this cluster has no head in every fold'
      continue
    right = (of_head[2 + c] > 0) == y  # After overall and the random one.
    assert record.retrained[c].value('accuracy') == np.mean(right)
    if inside:
      assert cluster.retrained.value('accuracy') == np.mean(right[inside])
  # Rows of the CSV are in the order of the candidates.
  (tmp_path / 'external.csv').write_text(external.external_csv(first, found))
  rows = _rows(tmp_path / 'external.csv')
  assert [r['id'] for r in rows] == [c.id for c in candidates]
  assert rows[4]['cluster'] == '' and rows[4]['reason'] == 'broken'
  assert [int(r['cluster']) for r in rows if r['cluster']] == where
  _check_page(tmp_path, record, k, folds)


def _check_page(
  folder: pathlib.Path, record: External, k: int, folds: int
) -> None:
  """What the page says of a record, in the results of another study."""
  results, _ = retraining_results.study(
    folder, k, names=('ill', 'well'), folds=folds
  )
  assert pages.sections(results) == [] == pages.link(results)
  for p, words in (
    (0.01, 'The 1,200 images of new do not lie as the test images of the'),
    (0.4, 'that is no evidence that they lie alike'),
    (Missing('nothing moves'), 'was not tested: nothing moves.'),
  ):
    shift = dataclasses.replace(record.shift, p_value=p)
    sentence = external._sentence(shift, 'new', 'image', 1200, patients=True)
    assert words in sentence
    shown = dataclasses.replace(
      results,
      external=dataclasses.replace(record, sentence=sentence, shift=shift),
    )
    (section,) = pages.sections(shown)
    text = ' '.join(str(getattr(block, 'text', '')) for block in section.blocks)
    assert words in text and section.anchor == 'external'
    assert ('those of the first fold' in text) == (folds > 1)
    told = methods.paragraph(shown, page.shared_of(shown), {})
    n = f'{record.n} images of a second data set ({record.name})'
    assert f'All heads were scored on {n}' in told
    table = pages.table(shown)
    assert len(table.cells) == 1 + k
    assert len(table.csv().splitlines()) == 2 + k
  lines = terminal.lines({
    'verdict': {'sentence': 'No.', 'conditions': []},
    'external': {'sentence': record.sentence},
  })
  assert lines == ['No.', record.sentence]


def _labelled(tmp_path: pathlib.Path, name: str, labels: str) -> Cohort:
  path = tmp_path / f'{name}.csv'
  rows = [f'{label},{i},{i}.5' for i, label in enumerate(labels.split(','))]
  path.write_text('\n'.join(['label,f0,f1', *rows]))
  return datasets.read('features', path, ('2|3', 'rest'))


def _of_grades(path: pathlib.Path, grades: str, seed: int) -> pathlib.Path:
  stream = np.random.default_rng(seed)
  rows = [
    f'{grade},{stream.normal()},{stream.normal()}' for grade in grades * 8
  ]
  path.write_text('\n'.join(['label,f0,f1', *rows]))
  return path


def test_a_class_may_lack_labels_in_the_second(tmp_path) -> None:
  first = _of_grades(tmp_path / 'first.csv', '01234', 0)
  config = _config(_Set(tmp_path / 'x.csv', 9, 0), None)
  config['data'] |= {'positive': '2|3|4', 'negative': 'rest', 'dir': str(first)}
  for grades, said in (
    ('01234', None),
    ('0123', "has the label 4, of which the class '2 or 3 or 4' of the first"),
    ('12', "has the labels 3, 4, of which the class '2 or 3 or 4'"),
    ('01', None),
    ('234', None),
  ):
    second = _of_grades(tmp_path / 'second.csv', grades, 1)
    config['data']['external'] = str(second)
    settings = checks.from_dict(config)
    cohorts = [datasets.read('features', first, settings.data.named)]
    if grades in ('01', '234'):
      words = "no label '2'" if grades == '01' else 'that leave labels'
      with pytest.raises(UserError, match=words):
        external_data.read(settings, cohorts, Inspections())
      continue
    found = external_data.read(settings, cohorts, Inspections())
    assert found.classes == ('2 or 3 or 4', 'rest')
    assert len(found.included) == 8 * len(grades)
    said_of = [note for note in found.notes if 'of which the class' in note]
    assert len(said_of) == (0 if said is None else 1 + (grades == '12'))
    assert said is None or said in said_of[0]


def test_the_page_shows_how_heads_rank_any_number_of_classes() -> None:
  shown = {*pages._SHOWN}
  for task in ('classification', 'multiclass', 'grading'):
    names = shown & {*metrics.names(task)}
    assert len(names) == 2 and any('auc' in name for name in names)


def test_what_is_rest_in_the_first_is_rest_in_the_second(tmp_path) -> None:
  first = _labelled(tmp_path, 'a', '0,1,2,3,0,1')
  second = _labelled(tmp_path, 'b', '2,3,0,ungradable,ungradable,1')
  found = external_data._of_same_labels(first, second)
  assert [c.included for c in found.candidates] == [1, 1, 1, 0, 0, 1]
  reason = found.candidates[3].reason
  assert reason == "the first data set has no label 'ungradable'"
  assert found.notes[-1].startswith('2 images of the second data set are left')
  assert external_data._of_same_labels(first, first) is first
  rest = [note for note in found.notes if "'rest' is made" in note]
  assert rest == ["The class 'rest' is made of the labels 0 (1), 1 (1)."]
  assert 'ungradable (2)' in ' '.join(second.notes)


def test_images_of_a_second_table_are_its_own(tmp_path) -> None:
  for name in ('a', 'b'):
    (tmp_path / name / 'png').mkdir(parents=True)
  settings = checks.from_dict(_config(_Set(tmp_path / 'x.csv', 9, 0), None))
  table = tmp_path / 'b' / 't.csv'
  for given, found in (
    (str(tmp_path / 'a' / 'png'), ''),
    ('png', str(tmp_path / 'b' / 'png')),
    ('other', ''),
    ('', ''),
  ):
    data = dataclasses.replace(settings.data, images=given)
    own = external_data._for_second(
      dataclasses.replace(settings, data=data), table
    )
    assert own.data.images == found


@pytest.mark.parametrize(
  ('protocol', 'first', 'second', 'why'),
  [
    ('clean', 'a', 'b', ''),
    ('clean', '', '', ''),
    ('clean', 'a', '', 'the second data set names no patients'),
    ('clean', '', 'b', 'the first data set names no patients'),
    ('published', 'a', 'b', 'copies of an image'),
  ],
)
def test_when_a_p_value_would_not_be_exact(
  tmp_path, protocol: str, first: str, second: str, why: str
) -> None:
  settings = checks.from_dict(_config(_Set(tmp_path / 'x.csv', 9, 0), None))
  settings = dataclasses.replace(
    settings, split=dataclasses.replace(settings.split, protocol=protocol)
  )
  cohort = _labelled(tmp_path, 'b', '2,3,0')
  cohort = cohort.replaced({
    c.id: dataclasses.replace(c, group=second) for c in cohort.included
  })
  samples = types.SimpleNamespace(groups=('', first))
  found = external._why_not(settings, samples, cohort)
  assert why in found if why else not found


def test_a_sentence_says_what_it_rests_on() -> None:
  shift = Shift(9, 'image', 0.2, 0.3, None, None)
  text = external._sentence(shift, 'new', 'image', 40, patients=False)
  assert 'if every image is of another patient, of the 20% that can' in text
  text = external._sentence(
    dataclasses.replace(shift, moved=1.0),
    'new',
    'image',
    40,
    patients=True,
  )
  assert 'patient' not in text and 'can be compared' not in text


def test_files_of_folds_have_no_second_data_set(tmp_path) -> None:
  first = _Set(tmp_path / 'x.csv', 9, 0)
  config = _config(first, first)
  config['data'] |= {'dir': '', 'files': str(tmp_path / '*.csv')}
  rules = registry.STUDIES['retraining'].rules(checks.from_dict(config))
  (broken,) = [sentence for holds, sentence in rules if not holds]
  assert 'of one network each' in broken


def test_only_images_of_both_take_their_patients_out(tmp_path) -> None:
  """A copy inside of the second data set is no image of the first."""
  cohort = _labelled(tmp_path, 'a', '2,3,0,1')

  def of(files: str, groups: str, reasons: dict[int, str]) -> Cohort:
    changed = {}
    for i, c in enumerate(cohort.candidates):
      c = dataclasses.replace(
        c, group=groups[i], columns=(('sha256', files[i]),)
      )
      changed[c.id] = c.left_out(reasons[i]) if i in reasons else c
    return cohort.replaced(changed)

  first = of('abcd', 'ppqr', {})
  second = of(
    'xxya',
    'stuv',
    {1: 'same image as 0', 3: 'same image as 0 of the first data set'},
  )
  first = dataclasses.replace(first, external=second)
  samples = types.SimpleNamespace(
    of=lambda part: np.arange(4),
    units=lambda positions: np.array([0, 0, 1, 2]),
    ids=[c.id for c in cohort.candidates],
  )
  rest, kept = external._compared([first], samples)
  assert rest.tolist() == [2, 3]  # Both images of the patient of image a.
  assert kept.tolist() == [True, True]
  # The patient of the copy keeps his other images.
  second = second.replaced({
    c.id: dataclasses.replace(c, group='s') for c in second.candidates[1:2]
  })
  first = dataclasses.replace(first, external=second)
  assert external._compared([first], samples)[1].tolist() == [True, True]
