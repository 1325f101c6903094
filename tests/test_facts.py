"""What the studies tell the answer of themselves."""

import dataclasses
import types
from typing import Any

import jax
import numpy as np
import pytest
from sample_size_results import example
from scipy import stats
from sklearn import metrics as sklearn_metrics

from heterojax.configs import common
from heterojax.configs import features
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.studies import registry
from heterojax.studies import stability
from heterojax.studies.answer import facts as facts_lib
from heterojax.studies.answer import skill
from heterojax.studies.retraining import facts as retraining
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.sample_size import facts as sample_size
from heterojax.studies.samples import Samples


def test_copies_are_drawn_with_their_original() -> None:
  units = np.array([0, 0, 1, -1, 2, 1])
  drawn = stability.draws(units, 3, np.random.default_rng(0))
  assert drawn.shape == (stability.BOOTSTRAPS, 6)
  assert (drawn[:, 3] == 0).all()
  np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
  np.testing.assert_array_equal(drawn[:, 2], drawn[:, 5])
  np.testing.assert_array_equal(drawn[:, [0, 2, 4]].sum(axis=1), 3)
  assert len(np.unique(drawn[:, 0])) > 1


def _fold(apart: float) -> Fold:
  """20 originals with a copy each, in two clouds or in one."""
  stream = np.random.default_rng(0)
  ids = [f'{i}' for i in range(20)]
  parents = (*ids, *ids)
  z = stream.normal(size=(40, 2)).astype(np.float32)
  labels = np.arange(40) % 2
  z[:, 0] += apart * labels
  samples = Samples(
    (*ids, *(f'{i}+0' for i in ids)),
    parents,
    (IDENTITY,) * 40,
    np.repeat('train', 40),
    labels,
    np.arange(40),
    tuple(Picture(i, IDENTITY) for i in parents),
    labels,
  )
  centers = np.stack([z[labels == c].mean(axis=0) for c in (0, 1)])
  clusters = Clusters(z, centers, labels, np.zeros(40), None)
  return Fold(samples, clusters, {}, np.zeros((0, 40)))


def test_two_clouds_are_found_again_and_halves_of_one_are_not() -> None:
  config = common.study('retraining', 'clean', 'avg')
  config.cluster.k = 2
  settings = registry.settings(config.to_dict())
  assert retraining.jaccard(settings, [_fold(20.0)[:2]]) == (1.0, 1.0)
  one = retraining.jaccard(settings, [_fold(0.0)[:2]])
  assert all(j is not None and j < 0.75 for j in one)


_OTHERS = (
  'use other features (--config.backbone.name, --config.backbone.feature)'
)


@pytest.mark.parametrize(
  'train, feature, how, says',
  [
    (
      'frozen',
      'avg',
      {},
      'Train the heads further (--config.heads.epochs) or to their optimum'
      f' (--config.heads.kind=logistic), or {_OTHERS}.',
    ),
    ('frozen', 'given', {'optimum': True}, 'Use other features.'),
    (
      'frozen',
      'given',
      {'numbers': True},
      'Train the heads further (--config.heads.epochs), or use other features.',
    ),
    (
      'full',
      'avg',
      {'numbers': True},
      f'Train the network further (--config.fine_tuning.epochs), or {_OTHERS}.',
    ),
    ('frozen', 'given', {'predictions': True}, 'Give other predictions.'),
  ],
)
def test_advice_names_fields_that_the_study_uses(
  train, feature, how, says
) -> None:
  network = dataclasses.replace(
    example().backbone, train=train, feature=feature
  )
  how = {'optimum': False, 'numbers': False} | how
  assert facts_lib.further(network, **how) == says


def _part(y: np.ndarray, test: int, clusters: np.ndarray) -> Any:
  """A fold of the sample-size study, as far as the facts look at it."""
  split = np.where(np.arange(len(y)) < test, 'test', 'train')
  samples = types.SimpleNamespace(
    y=y,
    of=lambda name: np.flatnonzero(split == name),
    unit_names=lambda at: [(False, str(i)) for i in at],
  )
  return types.SimpleNamespace(
    part=types.SimpleNamespace(samples=samples),
    clusters=clusters,
    jaccard=np.array([0.5, np.nan]),
  )


def _learned(predicted: np.ndarray) -> Any:
  return types.SimpleNamespace(predicted=predicted, ranks=predicted)


def test_the_folds_of_a_size_together() -> None:
  stream = np.random.default_rng(0)
  ys = [np.arange(30) % 2, (np.arange(30) < 12).astype(int)]
  clusters = [np.arange(30) % 3 // 2, np.arange(30) // 15]
  said = [0.4 * y + 0.6 * stream.random(30) for y in ys]
  folds = [_part(y, 10, c) for y, c in zip(ys, clusters, strict=True)]
  results = example(sizes=(60, 100), k=2)
  found = sample_size.facts(results, list(map(_learned, said)), folds)
  y, p = (np.concatenate([a[:10] for a in of]) for of in (ys, said))
  auc = sklearn_metrics.roc_auc_score(y, p)
  assert found.score.value('auc') == pytest.approx(auc)
  assert found.score.n == 20 and found.baseline is None
  # Fold 0: images 2, 5, 8 are in cluster 1; fold 1 tests positives of 0 alone.
  assert found.test_counts == ((4 + 10, 3), (1, 2))
  assert found.jaccard == (0.5, None)
  train = [y[10:] for y in ys]
  assert sum(map(sum, found.train_counts)) == pytest.approx(len(train[0]))


def test_a_regression_beside_always_answering_the_mean() -> None:
  y = np.arange(30.0)
  folds = [_part(y, 10, np.zeros(30, int))]
  results = example('regression', sizes=(60, 100), k=2)
  found = sample_size.facts(results, [_learned(y + 1)], folds)
  # Off by one, of a range of nine; the mean of training is 19.5.
  assert found.score.value('one_minus_nrmse') == pytest.approx(1 - 1 / 9)
  off = np.sqrt(np.mean((y[:10] - 19.5) ** 2))
  assert found.baseline.one_minus_nrmse == pytest.approx(1 - off / 9)
  # At an end the mean of what is less than it is just told from 0 (Fieller).
  whole = (y[:10] - 19.5) ** 2
  for end, sign in zip(found.baseline.spared, (1, -1), strict=True):
    less = whole - 1 - end * whole
    assert less.mean() / stats.sem(less) == pytest.approx(
      sign * stats.t.ppf(0.975, 9)
    )
  assert found.classes == found.test_counts == ()


def test_the_share_that_a_regression_spares_is_covered() -> None:
  results, held, ends = example('regression', sizes=(60, 100), k=2), [], []
  for seed in range(100):
    signal, noise = np.random.default_rng(seed).normal(size=(2, 200))
    y = 0.9 * signal + np.sqrt(0.19) * noise
    folds = [_part(y, 100, np.zeros(200, int))]
    found = sample_size.facts(results, [_learned(0.9 * signal)], folds)
    low, high = found.baseline.spared
    # The mean of training is nearly 0, that of all.
    held.append(low <= 0.81 <= high)
    ends.append(high)
  assert stats.binom.ppf(0.005, 100, 0.95) <= sum(held) < 100
  assert max(ends) <= 1


def test_a_regression_of_noise_passes_seldom() -> None:
  results, sets = example('regression', sizes=(60, 100), k=2), 100
  better = passed = 0
  for seed in range(sets):
    stream = np.random.default_rng(seed)
    y = stream.normal(size=200)
    folds = [_part(y, 100, np.zeros(200, int))]
    guess = y[100:].mean() + 0.1 * stream.normal(size=200)
    found = sample_size.facts(results, [_learned(guess)], folds)
    score = found.score.value('one_minus_nrmse')
    better += score > found.baseline.one_minus_nrmse
    passed += skill.skill(found).enough
  assert better > sets / 4
  assert passed <= stats.binom.ppf(0.999, sets, 0.025)


@pytest.mark.slow
def test_more_columns_than_samples_are_as_stable() -> None:
  """Columns of zeros change no distance."""
  stream = np.random.default_rng(0)
  z = stream.standard_normal((30, 4)) + 4 * (np.arange(30) % 3)[:, None]
  labels = np.arange(30) % 3
  settings = registry.settings(features.get_config('tiny').to_dict())
  settings = dataclasses.replace(
    settings, cluster=dataclasses.replace(settings.cluster, k=3)
  )
  drawn = stability.draws(np.arange(30), 30, np.random.default_rng(1))
  keys = jax.random.split(jax.random.key(0), len(drawn))
  found = [
    stability.jaccard(settings, columns, labels, drawn, keys)
    for columns in (z, np.concatenate([z, np.zeros((30, 60))], axis=1))
  ]
  np.testing.assert_allclose(found[0], found[1], atol=0.02)
