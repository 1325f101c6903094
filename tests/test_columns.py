"""The verdict on columns of the data."""

import jax
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from heterojax.studies.answer import columns
from heterojax.verdict import folds
from heterojax.verdict import held_out
from heterojax.verdict.folds import Fold

pytestmark = pytest.mark.usefixtures('one_core')


def _data(n: int = 160, seed: int = 0):
  """Features, classes, the fold, and where its head is right out of fold."""
  rng = np.random.default_rng(seed)
  y = rng.integers(2, size=n)
  x = rng.standard_normal((n, 6))
  x[:, 0] += 2 * y
  fold = Fold(x, 0.1, np.arange(n), np.arange(n), np.zeros(n, int))
  return rng, x, y, fold


def _words(columns_of, y, fold, right=None):
  right = np.ones(len(y)) if right is None else right
  found = columns.ask(
    fold, y, np.arange(len(y)), right, columns_of, jax.random.key(0)
  )
  return {row.column: row.word for row in found}, found


@pytest.mark.slow
def test_words() -> None:
  rng, x, y, fold = _data()
  scanner = rng.integers(2, size=len(y))
  x[:, 3] += 3 * scanner
  # Whoever is ill was more often seen with the second one.
  ward = np.where(rng.random(len(y)) < 0.8, y, 1 - y)
  x[:, 4] += 3 * ward
  coin = np.random.default_rng(1).integers(2, size=len(y))
  words, found = _words(
    {
      'scanner': np.where(scanner, 'A', 'B').tolist(),
      'ward': ward.astype(str).tolist(),
      'coin': coin.astype(str).tolist(),
      'empty': [''] * len(y),
      'names': [f'image {i}' for i in range(len(y))],
    },
    y,
    fold,
  )
  assert words == {
    'scanner': 'readable',
    'ward': 'confounded',
    'coin': 'no sign',
    'empty': 'cannot be told',
    'names': 'cannot be told',
  }
  by_name = {row.column: row for row in found}
  # Holm: of three the smallest p-value counts three times.
  assert by_name['ward'].adjusted == pytest.approx(3 / 200)
  # Neighbours are of the same scanner more than of the same class.
  assert by_name['scanner'].robustness_index < 0.5
  assert by_name['coin'].robustness_index > 0.5
  assert {h.value for h in by_name['scanner'].held_out} == {'A', 'B'}


@pytest.mark.slow
def test_many_columns_hide_none() -> None:
  """With 199 draws the smallest p-value of 20 columns would be .1."""
  rng, x, y, fold = _data(120)
  ward = np.where(rng.random(len(y)) < 0.75, y, 1 - y)
  x[:, 4] += 20 * ward
  coins = rng.integers(2, size=(19, len(y))).astype(str)
  words, _ = _words(
    {'ward': ward.astype(str).tolist()}
    | {f'coin {i}': coin.tolist() for i, coin in enumerate(coins)},
    y,
    fold,
  )
  assert words['ward'] == 'confounded'


def test_many_columns_and_classes_hide_none() -> None:
  """With 1999 exchanges the smallest p-value of 6 times 20 would be .06."""
  y = np.repeat(np.arange(6), 40)
  p = columns._says_class(y, y, np.arange(240) // 2, 20, jax.random.key(0))
  assert p is not None and p * 20 < 0.05


@pytest.mark.parametrize(
  'classes', [2, pytest.param(3, marks=pytest.mark.slow)]
)
def test_what_many_images_of_few_patients_say_of_the_class(classes) -> None:
  """By chance one in twenty columns says it, as of as many single images."""
  rng = np.random.default_rng(0)
  patient = np.repeat(np.arange(30), 10)

  def p(sex: np.ndarray, y: np.ndarray) -> float | None:
    return columns._says_class(
      sex[patient], y[patient], patient, 1, jax.random.key(0)
    )

  sets, said = 60, 0
  for _ in range(sets):
    y, sex = rng.integers(classes, size=30), rng.integers(2, size=30)
    said += p(sex, y) <= 0.05
  assert said / sets < 0.05 + 3 * np.sqrt(0.05 * 0.95 / sets)
  assert p(y, y) < 0.01
  assert p(np.zeros(30, int), y) is None


@pytest.mark.slow
def test_images_that_the_fold_lacks_do_not_count() -> None:
  rng, x, y, fold = _data()
  scanner = rng.integers(2, size=len(y))
  cells = {'scanner': scanner.astype(str).tolist()}
  lacks = np.arange(len(y)) % 2 == 0
  # Where the fold lacks them, rows are those of something else.
  x[lacks, 3] += 9 * scanner[lacks]
  words, _ = _words(cells, y, fold)
  assert words['scanner'] == 'readable'
  words, _ = _words(cells, y, fold._replace(labels=np.where(lacks, -1, 0)))
  assert words['scanner'] == 'no sign'


def test_numbers_are_cut_at_the_median() -> None:
  texts = np.array([str(i / 2) for i in range(40)] + [''])
  values, names = columns.code(texts, 'numeric')
  assert values[-1] == -1
  assert np.bincount(values[:-1]).tolist() == [20, 20]
  assert names == ('up to 9.75', 'above 9.75')
  days = np.array([str(20_230_101 + i) for i in range(39)])
  _, names = columns.code(days, 'numeric')
  assert names == ('up to 20230120', 'above 20230120')
  values, names = columns.code(np.array(['1', '3', '3', '3']), 'numeric')
  assert values.tolist() == [0, 1, 1, 1]
  assert names == ('below 3', '3 or more')


def test_rare_values_are_one() -> None:
  texts = np.array([*'aaaabbbbcccdddeefg', ''])
  values, names = columns.code(texts, 'categorical')
  assert names == ('a', 'b', 'c', 'd', 'others')
  assert np.bincount(values[:-1]).tolist() == [4, 4, 3, 3, 4]
  assert values[-1] == -1


def test_a_drop_is_that_of_scikit_learns_heads() -> None:
  rng, x, y, _ = _data()
  site = rng.integers(2, size=len(y))
  x[site == 1, 0] -= 2
  right = np.ones(len(y))
  units = np.arange(len(y))
  drops = {d.value: d for d in held_out.drops(x, y, site, units, right, 0.5)}
  for value in (0, 1):
    mine = site == value
    head = LogisticRegression(C=0.5, tol=1e-10).fit(x[~mine], y[~mine])
    wrong = head.predict(x[mine]) != y[mine]
    found = drops[value]
    assert found.n == mine.sum()
    assert found.drop == pytest.approx(wrong.mean())
    # Of images that are independent: the usual standard error.
    reach = (found.interval[1] - found.interval[0]) / 2
    error = np.std(wrong, ddof=1) / np.sqrt(len(wrong))
    assert reach == pytest.approx(2 * error, rel=0.05)


def test_patients_of_a_held_out_value_are_held_out() -> None:
  _, x, y, _ = _data()
  site = np.arange(len(y)) % 2
  # Every patient has an image of each value: nothing is left to train on.
  drops = held_out.drops(
    x, y, site, np.arange(len(y)) // 2, np.ones(len(y)), 0.5
  )
  assert not list(drops)


def test_values_with_few_images_have_no_drop() -> None:
  _, x, y, _ = _data()
  site = (np.arange(len(y)) < 9).astype(int)
  units = np.arange(len(y))
  assert not list(held_out.drops(x, y, site, units, np.ones(len(y)), 0.5))


def test_no_more_is_lost_than_all() -> None:
  """Of few images Student's interval would reach beyond 100 points."""
  stream = np.random.default_rng(0)
  site = np.arange(60) % 2
  y = np.arange(60) // 2 % 2
  # The rule is turned round at the other site: a head of it is always wrong.
  x = np.where(y == site, 1.0, -1.0)[:, np.newaxis]
  x = x + 0.3 * stream.normal(size=x.shape)
  right = np.ones(60)
  for drop in held_out.drops(x, y, site, np.arange(60), right, 1.0):
    low, high = drop.interval
    assert low <= drop.drop <= high <= 1
    assert drop.drop > 0.9


@pytest.mark.parametrize('width', [6, 64])
def test_neighbours_do_not_hang_on_which_is_larger(width: int) -> None:
  # Network features are nearly all above 0, and far from it beside their
  # deviation; 64 columns are more than there are images.
  rng = np.random.default_rng(2)
  n = 48
  y, site = rng.integers(2, size=(2, n))
  units = np.arange(n) // 2
  x = np.zeros((n, width))
  x[:, :6] = rng.standard_normal((n, 6)) + [9, 7, 5, 8, 6, 4]
  x[:, 0] += y
  x[:, 1] += 2 * site
  prepared = folds.prepared(x, n)
  fold = Fold(prepared, 0.1, np.arange(n), np.arange(n), np.zeros(n, int))
  (found,) = columns.ask(
    fold, y, units, np.ones(n), {'site': site.astype(str)}, jax.random.key(0)
  )
  near = x - x.mean(axis=0)
  near /= np.linalg.norm(near, axis=1, keepdims=True)
  counts = []
  for k in (5, 11, 21, 31):  # Of these, the one that tells the class best.
    of_class = of_site = 0
    right = np.zeros(n, bool)
    for i in range(n):
      order = np.argsort(-near @ near[i], kind='stable')
      mine = [j for j in order if units[j] != units[i]][:k]
      of_class += sum(y[j] == y[i] and site[j] != site[i] for j in mine)
      of_site += sum(y[j] != y[i] and site[j] == site[i] for j in mine)
      right[i] = (np.mean(y[mine]) > 0.5) == y[i]
    told = right[y == 1].mean() + right[y == 0].mean()
    counts.append((told, of_class / (of_class + of_site)))
  index = max(counts, key=lambda of: of[0])[1]
  assert found.robustness_index == pytest.approx(index)
