"""Scores, sizes and distances over folds, by hand."""

import csv
import io

import numpy as np
import pytest
from scipy.spatial import distance
from sklearn import metrics as sklearn_metrics

from heterojax.configs import fundus
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.heads import ensemble
from heterojax.records.codec import Missing
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.studies import checks
from heterojax.studies.retraining import results as results_lib
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_K, _RUNS, _N = 2, 2, 40
_NAMES = ('ill', 'well')


def _settings() -> Settings:
  config = fundus.get_config()
  config.cluster.k, config.heads.random_runs = _K, _RUNS
  return checks.from_dict(config.to_dict())


def _fold(number: int, folds: int) -> Fold:
  """Every image is tested by one fold; the rest trains, the first copied."""
  rng = np.random.default_rng([number, folds])
  tested = np.arange(_N) % folds == number
  train, test = np.flatnonzero(~tested), np.flatnonzero(tested)
  order = np.concatenate([train, train[:3], test])
  n = len(order)
  ids = [f'{i}' for i in train] + [f'{i}+1' for i in train[:3]]
  y_of_pictures = np.arange(_N + 3) % 3 % 2
  row = order.copy()
  samples = Samples(
    ids=tuple(ids + [f'{i}' for i in test]),
    parents=tuple(map(str, order)),
    transforms=(IDENTITY,) * n,
    split=np.array(['train'] * (n - len(test)) + ['test'] * len(test)),
    y=y_of_pictures[row],
    row=row,
    pictures=tuple(Picture(str(i), IDENTITY) for i in range(_N + 3)),
    y_of_pictures=y_of_pictures,
    classes=('ill', 'well'),
  )
  z = rng.normal(size=(n, 3))
  clusters = Clusters(
    z, rng.normal(size=(_K, 3)), rng.integers(_K, size=n), rng.random(n), 0.5
  )
  heads = {HeadName('overall'): row}
  for c in range(_K):
    heads[HeadName('cluster', c)] = row[:5]
    for r in range(_RUNS):
      heads[HeadName('random', c, r)] = rng.permutation(row)[: 5 + c]
  heads = {
    name: ensemble.Member(rows, row[-1:], None, None)
    for name, rows in heads.items()
  }
  return Fold(samples, clusters, heads, rng.normal(size=(len(heads), n)))


def _check(score: Score, folds: list[Fold], head: HeadName, c=None) -> None:
  """A score over all test images of all folds, one after the other."""
  y, p = [], []
  for fold in folds:
    number = list(fold.heads).index(head)
    for i in range(len(fold.samples.ids)):
      if fold.samples.split[i] != 'test':
        continue
      if c is None or fold.clusters.labels[i] == c:
        y.append(int(fold.samples.y[i]))
        p.append(fold.logits[number, i])
  predicted = [int(value > 0) for value in p]
  tn, fp, fn, tp = sklearn_metrics.confusion_matrix(
    y, predicted, labels=[0, 1]
  ).ravel()
  assert [score.n, score.tp, score.fp, score.tn, score.fn] == [
    len(y),
    tp,
    fp,
    tn,
    fn,
  ]
  assert score.value('auc') == pytest.approx(
    sklearn_metrics.roc_auc_score(y, p)
  )
  assert score.value('accuracy') == pytest.approx((tp + tn) / len(y))


@pytest.mark.parametrize('number', [2, 4])
def test_clusters_over_folds(number: int) -> None:
  folds = [_fold(f, number) for f in range(number)]
  described = results_lib.describe_clusters(
    _settings(), metrics.Classes(_NAMES), folds
  )
  for c, own in enumerate(described):
    assert own.id == c
    _check(own.test, folds, HeadName('overall'), c)
    _check(own.retrained, folds, HeadName('cluster', c))
    assert own.retrained.n == _N
    for j, score in enumerate(own.retrained_in_test_clusters):
      _check(score, folds, HeadName('cluster', c), j)
    for r, run in enumerate(own.random.runs):
      _check(run, folds, HeadName('random', c, r))
      assert sum(run.class_counts.values()) == 5 + c
    assert own.random.value('auc') == pytest.approx(
      np.mean([run.value('auc') for run in own.random.runs])
    )
    sizes, positives, pairs, originals = [], [], [], []
    for fold in folds:
      inside = (fold.samples.split == 'train') & (fold.clusters.labels == c)
      sizes.append(inside.sum())
      positives.append(fold.samples.y[inside].sum())
      originals.append(
        sum('+' not in fold.samples.ids[i] for i in np.flatnonzero(inside))
      )
      pairs.append(distance.pdist(fold.clusters.z[inside]).mean())
    assert own.size == pytest.approx(np.mean(sizes))
    assert own.originals == pytest.approx(np.mean(originals))
    assert own.class_counts == {
      'ill': pytest.approx(np.mean(positives)),
      'well': pytest.approx(np.mean(sizes) - np.mean(positives)),
    }
    assert own.intra_cluster_distance == pytest.approx(np.mean(pairs))


def test_a_cluster_that_is_empty_in_one_fold() -> None:
  """No head answers for the images of that fold, so the whole has no score."""
  folds = [_fold(f, 4) for f in range(4)]
  first, second = folds[2], folds[3]
  labels = np.where(first.samples.split == 'train', 0, first.clusters.labels)
  heads = {n: m for n, m in first.heads.items() if n.cluster != 1}
  kept = [n.cluster != 1 for n in first.heads]
  folds[2] = first._replace(
    clusters=first.clusters._replace(labels=labels),
    heads=heads,
    logits=first.logits[kept],
  )
  known, missing = results_lib.describe_clusters(
    _settings(), metrics.Classes(_NAMES), folds
  )
  _check(known.retrained, folds, HeadName('cluster', 0))
  _check(missing.test, folds, HeadName('overall'), 1)
  why = 'no training image is in this cluster in 1 of 4 folds'
  assert missing.random.runs == () and known.random.runs
  scores = [missing.retrained, missing.random]
  for score in (*scores, *missing.retrained_in_test_clusters):
    assert score.n == score.tp == 0
    for name in ('accuracy', 'auc', 'sensitivity', 'specificity'):
      assert score.values[name] == Missing(why)
  assert missing.intra_cluster_distance == Missing(why)
  sizes = [
    np.sum((f.clusters.labels == 1) & (f.samples.split == 'train'))
    for f in folds
  ]
  assert sizes[2] == 0 and missing.size == np.mean(sizes)
  assert second.heads.keys() > folds[2].heads.keys()
  (alone,) = results_lib.describe_clusters(
    _settings(), metrics.Classes(_NAMES), folds[2:3]
  )[1:]
  assert alone.size == 0 and alone.retrained.values['accuracy'] == Missing(
    'no training image is in this cluster'
  )


def test_one_fold_gives_whole_numbers() -> None:
  (own, _) = results_lib.describe_clusters(
    _settings(), metrics.Classes(_NAMES), [_fold(0, 4)]
  )
  counts = [own.size, *own.class_counts.values()]
  assert all(type(count) is int for count in counts)


def test_clusters_csv_of_folds() -> None:
  folds = [_fold(f, 2) for f in range(2)]
  alone = list(
    csv.DictReader(io.StringIO(''.join(results_lib.clusters_csv(folds[1:]))))
  )
  rows = list(
    csv.DictReader(io.StringIO(''.join(results_lib.clusters_csv(folds))))
  )
  assert list(alone[0]) == [
    'id',
    'split',
    'cluster',
    'centroid_distance',
    'probability',
    'correct',
  ]
  assert list(rows[0]) == [*alone[0], 'fold']
  own = [r for r in rows if r['fold'] == '1']
  assert [{k: r[k] for k in alone[0]} for r in own] == alone
  assert len(rows) == len(folds[0].samples.ids) + len(alone)
  samples, overall = folds[1].samples, folds[1].of_head('overall')
  for i, r in enumerate(alone):
    assert (r['id'], r['split']) == (samples.ids[i], samples.split[i])
    assert int(r['cluster']) == folds[1].clusters.labels[i]
    assert float(r['centroid_distance']) == folds[1].clusters.distance[i]
    assert float(r['probability']) == pytest.approx(
      1 / (1 + np.exp(-overall[i]))
    )
    right = (overall[i] > 0) == (samples.y[i] == 1)
    assert r['correct'] == str(right).lower()
