"""What published counts can show, against tables made from known counts."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from heterojax.heads import logistic
from heterojax.records.codec import Missing
from heterojax.stats.scores import PublishedScore
from heterojax.studies.retraining import paper_counts
from heterojax.studies.retraining import same_mix
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.pages import published_counts
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.samples import Samples
from heterojax.verdict import reconstruction

FUNDUS = ('cataract', 'normal fundus')
CHEST = ('Cardiomegaly', 'No Finding')


def _printed(sizes, errors) -> tuple[list[float], float, int]:
  n = sum(sizes)
  shares = [round(1 - e / s, 4) for s, e in zip(sizes, errors)]
  return shares, round(1 - sum(errors) / n, 4), n


@pytest.mark.parametrize(
  'sizes, errors',
  [((3, 4), (1, 0)), ((5, 2, 4), (2, 1, 2)), ((1, 6, 6), (1, 0, 3))],
)
def test_all_sizes_that_print_the_same_are_found(sizes, errors) -> None:
  shares, overall, n = _printed(sizes, errors)
  every = [
    (s, e)
    for s in itertools.product(range(1, n + 1), repeat=len(sizes))
    if sum(s) == n
    for e in itertools.product(*(range(size + 1) for size in s))
    if _printed(s, e) == (shares, overall, n)
  ]
  got = reconstruction.reconstruct(shares, overall, n)
  assert got.misprinted == ()
  assert sorted(map(tuple, got.counts)) == sorted(every)
  assert (sizes, errors) in got.counts


def test_a_misprint_counts_with_two_digits_and_nothing_fits_another() -> None:
  got = reconstruction.reconstruct((0.9231, 1.0, 0.8235, 0.7351), 0.8246, 57)
  assert got.misprinted == (3,)
  assert got.counts == (((13, 4, 17, 23), (1, 0, 3, 6)),)
  assert reconstruction.reconstruct((0.5, 1.0), 0.9, 10).counts == (
    ((2, 8), (1, 0)),
  )
  assert reconstruction.reconstruct((0.5, 1.0), 0.2, 10).counts == ()


def test_wang_2023_is_consistent_with_chance() -> None:
  fundus, chest = (wang2023.published(*p).counts for p in (FUNDUS, CHEST))
  assert [r.sizes for r in fundus.reconstructions] == [
    (first, 100, 98, 10 - first) for first in range(1, 10)
  ]
  assert {r.errors for r in fundus.reconstructions} == {(0, 3, 3, 0)}
  assert fundus.p_value == (1, 1)
  assert [round(p, 2) for p in chest.p_value] == [0.55, 0.55]
  for counts in (fundus, chest):
    assert counts.least_p_value == 1 / 6
    assert counts.least_adjusted_p_value == pytest.approx(2 / 3)
    assert isinstance(counts.same_mix, Missing)


def test_two_clusters_are_fishers_exact_test() -> None:
  got = paper_counts.paper_counts((0.9, 0.75), 0.8333, 18, 9)
  (only,) = got.reconstructions
  assert (only.sizes, only.errors) == ((10, 8), (1, 2))
  expected = stats.fisher_exact([[1, 9], [2, 6]]).pvalue
  assert only.p_value == pytest.approx(expected)
  assert got.p_value == (only.p_value, only.p_value)
  assert (got.least_p_value, got.least_adjusted_p_value) == (0.1, 0.2)


def test_of_several_reconstructions_the_range_is_given() -> None:
  got = paper_counts.paper_counts((0.5, 1.0, 1.0), 0.9, 10, 5)
  assert len(got.reconstructions) == 7
  none = paper_counts.paper_counts((0.5, 1.0), 0.2, 10, 5)
  assert none.reconstructions == () and isinstance(none.p_value, Missing)


def _fold(y: np.ndarray, train: np.ndarray) -> Fold:
  """Samples of which every fourth of training has a copy."""
  n = len(y)
  copied = np.flatnonzero(train)[::4]
  ids = [*map(str, range(n)), *(f'{i}+1' for i in copied)]
  row = np.arange(n + len(copied))
  pictures_y = np.concatenate([y, y[copied]])
  samples = Samples(
    ids=tuple(ids),
    parents=tuple(i.partition('+')[0] for i in ids),
    transforms=(),
    split=np.array([
      *np.where(train, 'train', 'test'),
      *(['train'] * len(copied)),
    ]),
    y=pictures_y,
    row=row,
    pictures=(),
    y_of_pictures=pictures_y,
  )
  nothing = Clusters(*(np.zeros(0),) * 4, None)
  return Fold(samples, nothing, {}, np.zeros((0, 0)))


def _cluster(number: int, positive: int, negative: int) -> PublishedCluster:
  return PublishedCluster(
    id=number,
    size=positive + negative,
    class_counts={'ill': positive, 'well': negative},
    intra_cluster_distance=0.0,
    retrained=PublishedScore({'accuracy': 0.5}),
    random=PublishedScore({'accuracy': 0.5}),
  )


@pytest.mark.medium
def test_every_head_draws_its_own_images_of_the_mix() -> None:
  y = (np.arange(60) % 3 == 0).astype(int)
  drawn = same_mix._draws(0, 0, 1, y, (5, 38))
  assert len(drawn) == 99
  for own in drawn:
    assert len(set(own.tolist())) == 43
    assert np.bincount(y[own]).tolist() == [38, 5]
  assert len({tuple(sorted(own.tolist())) for own in drawn}) > 90
  # Every image is drawn as often as any other of its class.
  times = np.bincount(np.concatenate(drawn), minlength=60)
  assert np.abs(times[y == 1] - 99 / 4).max() < 5 * np.sqrt(99 * 3 / 16)
  other = same_mix._draws(0, 0, 2, y, (5, 38))
  assert not np.array_equal(drawn[0], other[0])


def test_a_mix_is_scaled_to_what_there_is() -> None:
  y, names = np.repeat([1, 0], [20, 80]), ('ill', 'well')
  scaled = lambda *counts: same_mix._scaled(_cluster(0, *counts), names, y, 400)
  assert scaled(40, 120) == (10, 30)
  assert scaled(200, 0) == (20, 0)
  assert scaled(1, 399) == (1, 80)


@pytest.mark.slow
@pytest.mark.trains
def test_heads_see_the_published_mix_and_test_what_the_run_tests(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  rng = np.random.default_rng(0)
  y = np.arange(120) % 2
  train = np.arange(120) < 80
  # The copies are noise, which no head may see.
  x = rng.normal(size=(140, 150)) + np.append(y, np.zeros(20))[:, None] * 0.2
  seen = []
  fit = logistic.fit

  def recorded(features, labels, rows, c):
    seen.append((labels, rows, c))
    return fit(features, labels, rows, c)

  monkeypatch.setattr(logistic, 'fit', recorded)
  clusters = [_cluster(0, 20, 0), _cluster(1, 70, 70)]
  got = same_mix.same_mix(
    0, [_fold(y, train).samples], x, clusters, ('ill', 'well')
  )
  # 80 of 160 images; of 10 ill ones alone every head says ill.
  assert [g.class_counts for g in got] == [
    {'ill': 10, 'well': 0},
    {'ill': 35, 'well': 35},
  ]
  assert got[0].accuracy == 0.5 and got[0].interval == (0.5, 0.5)
  ((labels, rows, c),) = seen
  # Rows are those of originals: 80 of training, then 40 of the test set.
  assert len(labels) == 120 and max(map(np.max, rows)) < 80
  accuracies = [
    LogisticRegression(C=c, tol=1e-10, max_iter=10_000)
    .fit(x[:80][own], y[:80][own])
    .score(x[80:120], y[80:120])
    for own in rows[99:]
  ]
  assert got[1].accuracy == pytest.approx(np.mean(accuracies), abs=1e-3)
  assert got[1].interval == pytest.approx(
    tuple(np.quantile(accuracies, [0.025, 0.975])), abs=0.026
  )
  again = same_mix.same_mix(
    0, [_fold(y, train).samples], x, clusters, ('ill', 'well')
  )
  assert again == got


def test_sentences_of_both_tables() -> None:
  fundus, chest = (wang2023.published(*p) for p in (FUNDUS, CHEST))
  first, second, third = published_counts.sentences(chest)
  assert first == (
    'The paper’s Table 2 is consistent with chance: p = 0.55 (exact, 57'
    ' images).'
  )
  assert '12 of 13, all of 4, 14 of 17 and 17 of 23 images' in second
  assert '0.7351 is no share of at most 57 images' in second
  assert '1/6 = 0.17, and 0.67 when' in third
  first, second, _ = published_counts.sentences(fundus)
  assert 'p = 1.00 (exact, 208 images, for each of 9 possible sizes)' in first
  assert 'all of 1 to 9, 97 of 100, 95 of 98 and all of 1 to 9' in second
  old = dataclasses.replace(fundus, counts=Missing('of an older version'))
  assert published_counts.sentences(old) == []
