"""Planted and absent shortcuts, and columns that cannot be audited."""

from collections.abc import Mapping, Sequence
import dataclasses
import json

import numpy as np
import pytest
from scipy import stats
from sklearn import linear_model
from sklearn import metrics as sklearn_metrics

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.stats import inference as statistics
from heterojax.studies import shortcuts
from heterojax.studies.records import Shortcut

_KEYS = tuple(field.name for field in dataclasses.fields(Shortcut))
_N = 400


def _images(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Class, cluster of four and training set of images without a shortcut."""
  rng = np.random.default_rng(seed)
  return (rng.integers(0, 2, _N), rng.integers(0, 4, _N), np.arange(_N) < 300)


def _audit(
  columns: Mapping[str, Sequence[str]],
  images: tuple[np.ndarray, np.ndarray, np.ndarray],
  excluded: Mapping[str, str] | None = None,
) -> dict[str, Shortcut]:
  """By column, once it is as the contract says."""
  before = json.dumps({k: list(v) for k, v in columns.items()})
  entries = shortcuts.audit(columns, *images, excluded=excluded or {})
  assert json.dumps({k: list(v) for k, v in columns.items()}) == before
  assert [e.column for e in entries] == [*columns, 'all columns']
  # What is missing says why, or there is no JSON of it.
  tree = [codec.encode(entry) for entry in entries]
  json.dumps(tree, allow_nan=False)
  for entry in tree:
    assert tuple(k for k in entry if not k.endswith('_why')) == _KEYS
  # No random number makes a second audit differ.
  assert entries == shortcuts.audit(columns, *images, excluded=excluded or {})
  return {entry.column: entry for entry in entries}


def _why(entry: Shortcut, name: str) -> str:
  return codec.why(getattr(entry, name))


@pytest.mark.medium
def test_planted_shortcuts_are_found() -> None:
  y, clusters, is_train = _images()
  rng = np.random.default_rng(1)
  got = _audit(
    {
      'view': np.where(y == 1, 'AP', 'PA'),
      'scanner': np.array(list('abcd'))[clusters],
      'width': [f'{w:.2f}' for w in 1000 + 500 * y + rng.normal(size=_N)],
      'age': [f'{a:.1f}' for a in 50 + 9 * clusters + rng.normal(size=_N)],
    },
    (y, clusters, is_train),
  )
  view, scanner, width, age, together = got.values()
  assert view.kind == 'categorical' and view.measure == "Cramer's V"
  assert view.with_class == pytest.approx(1) and view.p_value < 1e-50
  assert view.auc_alone == 1
  assert scanner.with_cluster == pytest.approx(1)
  assert scanner.p_value_with_cluster < 1e-50
  assert width.kind == 'numeric' and width.measure == 'eta squared'
  assert width.with_class > 0.999 and width.auc_alone == 1
  assert age.with_cluster > 0.97
  # What explains the clusters alone does not say the class, and the reverse.
  for entry in (scanner, age):
    assert entry.with_class < 0.2 and entry.p_value > 0.05
    assert 0.35 < entry.auc_alone < 0.65
  for entry in (view, width):
    assert entry.with_cluster < 0.2
  assert together.auc_alone == 1
  assert (
    _why(together, 'with_class') == 'several columns have no one association'
  )
  assert {entry.n for entry in got.values()} == {300}


def test_associations_are_over_training_images_only() -> None:
  y, clusters, is_train = _images()
  rng = np.random.default_rng(1)
  view = rng.choice(['AP', 'PA'], _N)
  age = rng.normal(50, 10, _N)
  # In the test images both say the class.
  view[~is_train] = np.where(y[~is_train] == 1, 'AP', 'PA')
  age[~is_train] = 90 - 80 * y[~is_train]
  got = _audit({'view': view, 'age': age.astype(str)}, (y, clusters, is_train))
  for name, groups, suffix in (
    ('class', y, ''),
    ('cluster', clusters, '_with_cluster'),
  ):
    v = statistics.cramers_v(view[is_train], groups[is_train])
    assert getattr(got['view'], f'with_{name}') == pytest.approx(v.strength)
    assert getattr(got['view'], f'p_value{suffix}') == pytest.approx(v.p_value)
    eta = statistics.eta_squared(age[is_train], groups[is_train])
    assert getattr(got['age'], f'with_{name}') == pytest.approx(eta.strength)
    assert getattr(got['age'], f'p_value{suffix}') == pytest.approx(eta.p_value)


def test_p_values_are_those_of_patients() -> None:
  y, clusters, is_train = _images()
  units = np.arange(_N) // 20
  site = np.array(list('abcd'))[clusters[units * 20]]
  # Most images of a patient are in one cluster, which has nothing to do with
  # what 15 patients have else.
  most = np.where(np.arange(_N) % 5 > 0, clusters[units * 20], clusters)
  other = np.random.default_rng(3).choice(list('abcde'), 20)[units]
  columns = {'site': site, 'other': other}
  for of, small in ((None, True), (units, False)):
    found = shortcuts.audit(columns, y, most, is_train, excluded={}, units=of)
    by_name = {entry.column: entry for entry in found}
    assert by_name['site'].p_value_with_cluster <= 0.005
    assert (by_name['other'].p_value_with_cluster <= 0.05) is small
  # Patients like no other, whom nobody can change places with.
  alone = np.repeat(np.arange(28), np.arange(1, 29))[:_N]
  found = shortcuts.audit(columns, y, most, is_train, excluded={}, units=alone)
  for name in ('p_value', 'p_value_with_cluster'):
    assert _why(found[0], name).startswith('only ')
  assert found[0].with_cluster > 0.5


@pytest.mark.slow
def test_chance_is_no_shortcut() -> None:
  images = _images()
  rng = np.random.default_rng(1)
  columns = {f'view {i}': rng.choice(list('abc'), _N) for i in range(30)}
  columns |= {f'age {i}': rng.normal(size=_N).astype(str) for i in range(30)}
  entries = list(_audit(columns, images).values())[:-1]
  for name in ('p_value', 'p_value_with_cluster'):
    p_values = [getattr(entry, name) for entry in entries]
    assert stats.kstest(p_values, 'uniform').pvalue > 0.01
  aucs = np.array([entry.auc_alone for entry in entries])
  # 100 test images: the standard error of one AUC is about 0.06.
  assert abs(aucs.mean() - 0.5) < 0.02 and np.all(abs(aucs - 0.5) < 0.25)


@pytest.mark.medium
def test_auc_alone_is_a_logistic_regressions() -> None:
  y, clusters, is_train = _images()
  rng = np.random.default_rng(1)
  age = 50 + 5 * y + rng.normal(0, 10, _N)
  age[-1] = 1e6  # A scale that knew the test images would hide all others.
  view = np.where(rng.random(_N) < 0.3 + 0.3 * y, 'AP', 'PA')
  got = _audit({'age': age.astype(str), 'view': view}, (y, clusters, is_train))
  test = ~is_train
  # A line in one number keeps its order; of two views one is the likelier.
  assert got['age'].auc_alone == pytest.approx(
    sklearn_metrics.roc_auc_score(y[test], age[test])
  )
  assert got['view'].auc_alone == pytest.approx(
    sklearn_metrics.roc_auc_score(y[test], view[test] == 'AP')
  )
  standard = (age - age[is_train].mean()) / age[is_train].std()
  x = np.stack([standard, view == 'AP', view == 'PA'], axis=1)
  model = linear_model.LogisticRegression().fit(x[is_train], y[is_train])
  assert got['all columns'].auc_alone == pytest.approx(
    sklearn_metrics.roc_auc_score(y[test], model.predict_proba(x[test])[:, 1])
  )


def test_auc_alone_learns_from_training_images_only() -> None:
  y, clusters, is_train = _images()
  # The column says the reverse in the test images.
  view = np.where((y == 1) == is_train, 'AP', 'PA')
  got = _audit({'view': view}, (y, clusters, is_train))
  assert got['view'].auc_alone == 0
  assert got['view'].with_class == pytest.approx(1)


@pytest.mark.medium
def test_missing_values() -> None:
  y, clusters, is_train = _images()
  rng = np.random.default_rng(1)
  lacks = rng.random(_N) < np.where(y == 1, 0.6, 0.1)
  eye = np.where(lacks, '', rng.choice(['left', 'right'], _N))
  only = np.where(lacks, '', 'yes')
  numbers = rng.normal(size=_N)
  age = np.where(lacks, '', numbers.astype(str))
  got = _audit({'eye': eye, 'only': only, 'age': age}, (y, clusters, is_train))
  # To be missing is a category of its own, with one other value too.
  expected = statistics.cramers_v(eye[is_train], y[is_train])
  assert got['eye'].n == 300
  assert got['eye'].with_class == pytest.approx(expected.strength)
  assert got['eye'].with_class > 0.4
  expected = statistics.cramers_v(lacks[is_train], y[is_train])
  assert got['only'].with_class == pytest.approx(expected.strength)
  # A number is left out where it is missing; the model sees where.
  known = is_train & ~lacks
  expected = statistics.eta_squared(numbers[known], y[known])
  assert got['age'].n == known.sum() < 300
  assert got['age'].with_class == pytest.approx(expected.strength)
  assert got['age'].p_value > 0.05
  for name in ('eye', 'only', 'age'):
    assert got[name].auc_alone > 0.65


@pytest.mark.medium
def test_kinds() -> None:
  images = _images()
  rng = np.random.default_rng(1)
  got = _audit(
    {
      'code': rng.choice(['0', '1'], _N),
      'ten': rng.integers(0, 10, _N).astype(str),
      'eleven': rng.integers(0, 11, _N).astype(str),
      'view': rng.choice(['AP', 'PA'], _N),
      'mostly numbers': ['unknown', *(str(i % 20) for i in range(1, _N))],
      'scientific': [f'{x:.3e}' for x in rng.normal(size=_N)],
      'huge': [f'{x:.5f}e307' for x in rng.uniform(-10, 10, _N)],
      'file': [f'{i:08d}_000' for i in range(_N)],
      'infinite': ['inf', *(str(i) for i in range(1, _N))],
      'name': [f'patient {i % 312}' for i in range(_N)],
      'twenty': [f'ward {i % 20}' for i in range(_N)],
    },
    images,
  )
  kinds = [codec.known(entry.kind) for entry in got.values()]
  categorical, numeric = 'categorical', 'numeric'
  assert kinds == [
    categorical,
    categorical,
    numeric,
    categorical,
    None,
    numeric,
    numeric,
    None,
    None,
    None,
    categorical,
    None,
  ]
  many = '{} different values in 400 images'
  assert _why(got['name'], 'with_class') == many.format(312)
  assert (
    _why(got['name'], 'kind')
    == _why(got['name'], 'auc_alone')
    == (_why(got['name'], 'n'))
  )
  assert _why(got['mostly numbers'], 'with_class') == many.format(21)
  assert _why(got['file'], 'with_class') == many.format(400)
  assert codec.known(got['huge'].auc_alone) is not None


def test_few_images() -> None:
  # Twelve images: no text repeats often enough, and numbers are no codes.
  y, is_train = np.arange(12) % 2, np.arange(12) < 8
  got = _audit(
    {
      'age': [str(40 + i // 2) for i in range(12)],
      'view': list('abc') * 4,
      'sex': ['f', 'm'] * 6,
    },
    (y, np.zeros(12, int), is_train),
  )
  assert got['age'].kind == 'numeric'
  assert _why(got['view'], 'kind') == '3 different values in 12 images'
  assert got['sex'].kind == 'categorical' and got['sex'].auc_alone == 1
  # Fisher's exact 2 / C(8, 4), as all eight are in one table of 4 and 4.
  assert got['sex'].p_value == pytest.approx(2 / 70, abs=0.006)
  assert _why(got['sex'], 'with_cluster') == 'all 8 values are in one group'
  assert _why(got['sex'], 'p_value_with_cluster') == (
    _why(got['sex'], 'with_cluster')
  )


def test_excluded_columns() -> None:
  y, clusters, is_train = _images()
  rng = np.random.default_rng(1)
  view = rng.choice(['AP', 'PA'], _N)
  columns = {'finding': np.where(y == 1, 'ill', 'well'), 'view': view}
  reason = 'it says the class'
  got = _audit(
    columns, (y, clusters, is_train), {'finding': reason, 'absent': 'no'}
  )
  assert got['finding'] == Shortcut('finding', *[Missing(reason)] * 8)
  assert _why(got['finding'], 'with_class') == reason
  assert _why(got['finding'], 'auc_alone') == reason
  # Nor does it leak into the model of all columns.
  assert got['all columns'].auc_alone == got['view'].auc_alone < 0.7


def test_constant_and_empty_columns() -> None:
  y, clusters, is_train = _images()
  got = _audit(
    {
      'constant': ['PA'] * _N,
      'empty': [''] * _N,
      'in training': np.where(is_train, 'PA', 'AP'),
      'only in test': np.where(is_train, '', 'AP'),
    },
    (y, clusters, is_train),
  )
  same = 'all 300 training images have the same value'
  none = 'no training image has a value'
  for name, why in zip(got, (same, none, same, none)):
    assert _why(got[name], 'with_class') == _why(got[name], 'auc_alone') == why
  assert _why(got['all columns'], 'auc_alone') == 'no column could be audited'
  assert _audit({}, (y, clusters, is_train))['all columns'].n == 300


def test_numbers_known_of_few_training_images() -> None:
  y, clusters, is_train = _images()
  numbers = np.arange(_N).astype(str)
  one = np.where(is_train & (np.arange(_N) != 7), '', numbers)
  got = _audit({'one': one}, (y, clusters, is_train))['one']
  assert got.kind == 'numeric' and got.n == 1
  assert _why(got, 'with_class') == 'one value alone'
  assert codec.known(got.auc_alone) is not None


def test_a_code_among_the_test_images_changes_no_association() -> None:
  """The largest number there is, for a value that is missing."""
  y, clusters, is_train = _images()
  ages = 50 + 10 * y + np.random.default_rng(3).normal(0, 5, _N)
  plain = _audit({'age': ages.astype(str)}, (y, clusters, is_train))['age']
  assert plain.with_class > 0.3
  ages[np.flatnonzero(~is_train)[0]] = np.finfo(float).max
  coded = _audit({'age': ages.astype(str)}, (y, clusters, is_train))['age']
  for name in ('with_class', 'p_value', 'with_cluster', 'n'):
    assert getattr(coded, name) == getattr(plain, name)
  assert abs(coded.auc_alone - plain.auc_alone) < 0.05


def test_unknown_category_in_test() -> None:
  y, clusters, is_train = _images()
  view = np.where(y == 1, 'AP', 'PA')
  view[-30:] = 'lateral'
  got = _audit({'view': view}, (y, clusters, is_train))['view']
  # It says neither, and so is tied with itself and between the two.
  rank = np.select([view == 'AP', view == 'PA'], [1.0, -1.0], 0.0)
  assert got.auc_alone == pytest.approx(
    sklearn_metrics.roc_auc_score(y[~is_train], rank[~is_train])
  )
  assert got.with_class == pytest.approx(1)


def test_one_class() -> None:
  y, clusters, is_train = _images()
  columns = {'view': np.random.default_rng(1).choice(['AP', 'PA'], _N)}
  got = _audit(columns, (np.where(is_train, y, 1), clusters, is_train))
  for entry in got.values():
    assert _why(entry, 'auc_alone') == 'all 100 test images are positive'
  assert codec.known(got['view'].with_class) is not None
  got = _audit(columns, (np.where(is_train, 0, y), clusters, is_train))['view']
  assert _why(got, 'auc_alone') == 'all 300 training images are negative'
  assert _why(got, 'with_class') == 'all 300 values are in one group'
  assert codec.known(got.with_cluster) is not None
  got = _audit(columns, (y, clusters, np.ones(_N, bool)))['view']
  assert _why(got, 'auc_alone') == 'no test images' and got.n == _N
  got = _audit(columns, (y, clusters, np.zeros(_N, bool)))['view']
  assert _why(got, 'with_class') == 'no training image has a value'
