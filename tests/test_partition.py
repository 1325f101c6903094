"""Known groups in the place of clusters."""

import csv
import json
import pathlib

import numpy as np
import pytest

from heterojax.configs import features as features_config
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.studies import checks
from heterojax.studies import choosing
from heterojax.studies import partition
from heterojax.studies import running
from heterojax.studies.settings import Cluster

_ROOT = sources.Files(pathlib.Path('root'))


def _cluster(method: str, k: int = 3, min_size: int = 2) -> Cluster:
  config = features_config.get_config()
  config.cluster.method, config.cluster.k = method, k
  config.cluster.min_size = min_size
  return checks.from_dict(config.to_dict()).cluster


def _cohort(cells: list[str], column: str = 'site') -> Cohort:
  return Cohort(
    'made up',
    _ROOT,
    ('ill', 'well'),
    tuple(
      Candidate(str(i), f'{i}.png', 'ill', '', columns=((column, cell),))
      for i, cell in enumerate(cells)
    ),
  )


def _groups(cells: list[str], **how) -> tuple[tuple[str, ...], list[str]]:
  """Names, and the name of each image's group, or why it has none."""
  cluster = _cluster('column:site', **how)
  cohort = partition.restrict(cluster, _cohort(cells))
  found = partition.groups(cluster, [cohort])
  assert found
  return found.names, [
    found.names[found.of[c.id]] if c.included else c.reason
    for c in cohort.candidates
  ]


def test_values_are_groups() -> None:
  names, of = _groups(['b', 'a', 'b', 'a', 'a'])
  assert names == ('a', 'b')
  assert of == ['b', 'a', 'b', 'a', 'a']


def test_numbers_are_in_their_order_and_words_behind_them() -> None:
  names, _ = _groups(['10', '9', 'x', '10', '9', 'x'])
  assert names == ('9', '10', 'x')


def test_small_groups_are_put_together() -> None:
  names, of = _groups(['a', 'a', 'z', 'y', 'z', '10', '9'], min_size=2)
  assert names == ('a', 'z', 'other (9, 10 and y)')
  assert of == ['a', 'a', 'z', names[2], 'z', names[2], names[2]]


def test_a_large_group_that_is_called_other_stays_alone() -> None:
  names, of = _groups(['a', 'a', 'other', 'other', 'v', 'w', 'x', 'y', 'z'])
  assert names == ('a', 'other', 'other (v, w, x and 2 more)')
  assert of == ['a', 'a', 'other', 'other', *[names[2]] * 5]


def test_images_of_another_data_set_are_of_the_same_groups() -> None:
  cluster = _cluster('column:site')
  cells = ['a', 'a', 'other', 'other', 'y', 'z']
  cohort = partition.restrict(cluster, _cohort(cells))
  second = _cohort(['z', 'other', 'a', 'other (y and z)', 'b', ''])
  placed = partition.place(cluster, [cohort], second)
  assert [*placed.values()][:3] == [2, 1, 0]
  assert all(isinstance(why, str) for why in [*placed.values()][3:])


def test_what_is_too_small_together_is_left_out() -> None:
  names, of = _groups(['a', 'a', 'b', 'b', 'z', ''])
  assert names == ('a', 'b')
  assert of[4] == (
    "site 'z' has 1 images, fewer than --config.cluster.min_size=2"
  )
  assert of[5] == 'its site is not known'


def test_many_numbers_are_cut_into_bands() -> None:
  ages = [str(20 + i) for i in range(12)]
  names, of = _groups(ages, k=3)
  assert names == ('20 to 23', '24 to 27', '28 to 31')
  assert of == [names[i // 4] for i in range(12)]


def test_bands_of_large_numbers_have_all_their_digits() -> None:
  days = [str(20_230_101 + i) for i in range(12)]
  names, _ = _groups(days, k=2)
  assert names == ('20230101 to 20230106', '20230107 to 20230112')


def test_names_that_python_reads_as_numbers_are_groups() -> None:
  visits = [f'{i:03}_000' for i in range(12)]
  names, _ = _groups(2 * visits)
  assert names == tuple(visits)


def test_a_value_is_in_one_band() -> None:
  ages = ['40'] * 20 + [str(41 + i) for i in range(12)]
  names, of = _groups(ages, k=4)
  assert len(set(of[:20])) == 1
  assert names[0] == '40 to 40'
  assert sorted(set(of)) == sorted(names)


def test_the_bands_that_there_are_can_be_asked_for() -> None:
  """A study cuts them once more for the number that it found."""
  numbers = np.random.default_rng(0)
  fewer = 0
  for _ in range(60):
    ages = np.r_[np.arange(12), numbers.geometric(0.2, size=40)]
    cells, k = [str(age) for age in ages], int(numbers.integers(2, 12))
    names, of = _groups(cells, k=k)
    fewer += len(names) < k
    assert (names, of) == _groups(cells, k=len(names))
  assert fewer > 10


def test_a_group_that_is_missing_or_a_whole_number() -> None:
  names, of = _groups(['1', '1.0', '2', '2', 'nan', 'Unknown'])
  assert names == ('1', '2')
  assert of == ['1', '1', '2', '2'] + 2 * ['its site is not known']


def test_few_numbers_are_values() -> None:
  names, _ = _groups(['1', '2', '1', '2'], k=4)
  assert names == ('1', '2')


def test_a_file_names_groups(tmp_path) -> None:
  path = tmp_path / 'own.csv'
  path.write_text('id,split,cluster\n0,train,1\n1,train,0\n2,test,1\n3,,0\n')
  cluster = _cluster(f'ids:{path}')
  cohort = partition.restrict(cluster, _cohort(['', '', '', '', '']))
  found = partition.groups(cluster, [cohort])
  assert found and found.of == {'0': 1, '1': 0, '2': 1, '3': 0}
  assert not cohort.candidates[4].included


@pytest.mark.parametrize(
  ('method', 'cells', 'message'),
  [
    ('column:siet', ['a', 'b'], "no column 'siet'.*made up|root has site"),
    ('column:site', ['a', 'a', 'b'], 'fewer than two groups'),
    ('column:site', ['', ''], 'all missing'),
    ('ids:nothing.csv', ['a', 'b'], "no file 'nothing.csv'"),
  ],
)
def test_mistakes_are_told(method: str, cells: list[str], message: str) -> None:
  with pytest.raises(UserError, match=message):
    partition.restrict(_cluster(method), _cohort(cells))


def test_an_image_is_in_one_cluster(tmp_path) -> None:
  """A run with folds has a row of each image and fold."""
  path = tmp_path / 'clusters.csv'
  cluster, cohort = _cluster(f'ids:{path}'), _cohort([''] * 4)
  rows = ['id,cluster,fold', '0,1,0', '1,0,0', '2,1,0', '3,0,0', '1,0,1']
  path.write_text('\n'.join([*rows, '2,1,1', '']))
  chosen = partition.restrict(cluster, cohort)
  found = partition.groups(cluster, [chosen])
  assert found and found.of == {'0': 1, '1': 0, '2': 1, '3': 0}
  path.write_text('\n'.join([*rows, '2,0,1', '']))
  with pytest.raises(UserError, match="image '2' in the clusters 1 and 0"):
    partition.restrict(cluster, cohort)


def test_a_file_of_something_else_is_told(tmp_path) -> None:
  path = tmp_path / 'own.csv'
  path.write_text('name,group\n0,1\n')
  with pytest.raises(UserError, match='columns id and cluster'):
    partition.restrict(_cluster(f'ids:{path}'), _cohort(['a', 'b']))
  path.write_text('id,cluster\nx0,1\n')
  with pytest.raises(UserError, match="begin with 'x0'.* with '0'"):
    partition.restrict(_cluster(f'ids:{path}'), _cohort(['a', 'b']))


def test_methods_are_told() -> None:
  for method in ('columns:x', 'column:', 'ids: ', 'kmean'):
    with pytest.raises(UserError, match='column:NAME, or ids:FILE'):
      _cluster(method)


def test_images_that_are_clustered_stay() -> None:
  cohort = _cohort(['a', 'b'])
  cluster = _cluster('kmeans')
  assert partition.restrict(cluster, cohort) is cohort
  assert partition.groups(cluster, [cohort]) is None


def test_the_sentence() -> None:
  assert choosing.groups('column:site', ('a', 'b')) == (
    'Clusters are groups by site: 0 is a and 1 is b.'
  )


@pytest.mark.slow
def test_a_rule_of_its_own_is_found_in_a_column(tmp_path) -> None:
  """And a column that means nothing gives no sign of one."""
  rng = np.random.default_rng(0)
  n = 400
  x = rng.standard_normal((n, 8))
  site = np.where(rng.random(n) < 0.4, 'B', 'A')
  score = 3 * np.where(site == 'B', x[:, 1], x[:, 0])
  label = np.where(rng.random(n) < 1 / (1 + np.exp(-score)), 'ill', 'well')
  coin = rng.permutation(np.where(np.arange(n) % 2, 'heads', 'tails'))
  path = tmp_path / 'own.csv'
  with path.open('w', newline='') as file:
    writer = csv.writer(file)
    writer.writerow(['label', 'site', 'coin', *map(str, range(8))])
    for row in zip(label, site, coin, x, strict=True):
      writer.writerow([*row[:3], *map(repr, map(float, row[3]))])
  answers = {}
  for column in ('site', 'coin'):
    config = features_config.get_config()
    config.data.dir = str(path)
    config.data.positive, config.data.negative = 'ill', 'well'
    config.cluster.method = f'column:{column}'
    config.verdict.worlds = config.verdict.partitions = 99
    folder = tmp_path / column
    results = running.run(config.to_dict(), folder)
    answers[column] = results['verdict']['answer']
    names = results['cluster']['names']
    cells = {str(i): value for i, value in enumerate(locals()[column])}
    with (folder / 'clusters.csv').open() as file:
      for row in csv.DictReader(file):
        assert names[int(row['cluster'])] == cells[row['id']]
    report = (folder / 'report.html').read_text()
    assert f'Clusters are groups by {column}' in report
    assert json.loads((folder / 'results.json').read_text()) == results
  assert answers['site'] == 'yes'
  assert answers['coin'] != 'yes'
