"""What the numbers of a retraining study are said to mean."""

import itertools
import pathlib

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from heterojax.datasets import augmentation
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.records.codec import Missing
from heterojax.stats import metrics
from heterojax.stats.scores import Score
from heterojax.studies.retraining import analysis
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import Random
from heterojax.studies.samples import Samples

METRICS = metrics.names('classification')


def _score(
  n: float = 60, tp: float = 30, fn: float = 0, **values: float | None
) -> Score:
  """A score of so many images; 0 in metrics not named, unknown where None."""
  known = {
    name: Missing('no images') if value is None else value
    for name, value in (dict.fromkeys(METRICS, 0.0) | values).items()
  }
  return Score(n, tp, 0, n - tp - fn, fn, known, None)


def _retrained(**values: list[float | None]) -> list[Score]:
  """Retrained heads that score so; 0 in metrics not named."""
  number = len(next(iter(values.values())))
  return [
    _score(**{name: of[i] for name, of in values.items()})
    for i in range(number)
  ]


def _distances(points: np.ndarray) -> np.ndarray:
  return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_distance_vs_performance_is_spearman() -> None:
  rng = np.random.default_rng(0)
  distances = _distances(rng.normal(size=(6, 3)))
  values = {name: list(rng.random(6)) for name in METRICS}
  got = analysis.distance_vs_performance(
    _retrained(**values), distances, 'classification'
  )
  pairs = list(itertools.combinations(range(6), 2))
  assert [(p.a, p.b) for p in got.pairs] == pairs
  for name in METRICS:
    want = stats.spearmanr(
      [distances[a, b] for a, b in pairs],
      [abs(values[name][a] - values[name][b]) for a, b in pairs],
    )
    assert got.spearman[name] == pytest.approx(want.statistic)
  for p in got.pairs:
    assert p.centroid_distance == distances[p.a, p.b]
    assert p.difference['auc'] == pytest.approx(
      abs(values['auc'][p.a] - values['auc'][p.b])
    )


def test_hand_values() -> None:
  # Distances of (01, 02, 12) are 1, 5, 4; differences 0.1, 0.5, 0.4 and the
  # reverse order for the AUC: 0.3, 0.1, 0.2.
  distances = _distances(np.array([[0.0], [1.0], [5.0]]))
  clusters = _retrained(accuracy=[0.9, 0.8, 0.4], auc=[0.9, 0.6, 0.8])
  got = analysis.distance_vs_performance(clusters, distances, 'classification')
  assert got.spearman['accuracy'] == pytest.approx(1)
  assert got.spearman['auc'] == pytest.approx(-1)
  # Sensitivity is 0 everywhere.
  assert got.spearman['sensitivity'] == Missing('all pairs are equal')
  assert got.why.startswith('k = 3 gives 3 pairs, which share clusters')


def test_equal_fractions_are_ties_whatever_their_last_bits() -> None:
  # 0.8 - 0.7 is more than 0.7 - 0.6 in float64.
  values = [0.8, 0.7, 0.6, 0.5]
  assert 0.8 - 0.7 > 0.7 - 0.6
  distances = _distances(np.array([[0.0], [1.0], [5.0], [6.5]]))
  got = analysis.distance_vs_performance(
    _retrained(accuracy=values), distances, 'classification'
  )
  pairs = list(itertools.combinations(range(4), 2))
  want = stats.spearmanr(
    [distances[a, b] for a, b in pairs], [b - a for a, b in pairs]
  )
  assert got.spearman['accuracy'] == pytest.approx(want.statistic)


def test_two_clusters_have_no_ranking() -> None:
  got = analysis.distance_vs_performance(
    _retrained(accuracy=[0.9, 0.8]),
    _distances(np.array([[0.0], [3.0]])),
    'classification',
  )
  (pair,) = got.pairs
  assert pair.centroid_distance == 3
  assert pair.difference['accuracy'] == pytest.approx(0.1)
  for name in METRICS:
    assert got.spearman[name] == Missing('1 pair has no ranking')
  assert got.why == 'k = 2 gives 1 pair, which can show no relation.'


def test_what_could_not_be_estimated_is_left_out() -> None:
  rng = np.random.default_rng(1)
  distances = _distances(rng.normal(size=(4, 3)))
  values = [0.9, None, 0.4, 0.6]
  got = analysis.distance_vs_performance(
    _retrained(auc=values), distances, 'classification'
  )
  known = [(0, 2), (0, 3), (2, 3)]
  for p in got.pairs:
    assert (p.of('auc') is None) == (1 in (p.a, p.b))
    missing = p.difference['auc'] == Missing('one of the two has none')
    assert missing == (1 in (p.a, p.b))
  want = stats.spearmanr([distances[p] for p in known], [0.5, 0.3, 0.2])
  assert got.spearman['auc'] == pytest.approx(want.statistic)
  # The limit of six pairs is none of three.
  assert 'Only 3 of them have all scores.' in got.why
  assert '0.88' not in got.why
  got = analysis.distance_vs_performance(
    _retrained(auc=[0.9, None, None, 0.6]), distances, 'classification'
  )
  assert got.spearman['auc'] == Missing('1 pair has no ranking')
  assert 'Only 1 of them has all scores.' in got.why


def test_what_six_pairs_can_show() -> None:
  got = analysis.distance_vs_performance(
    _retrained(accuracy=[0.9, 0.8, 0.5, 0.1]),
    _distances(np.eye(4)),
    'classification',
  )
  assert 'beyond ±0.88' in got.why
  # The exact distribution of the coefficient.
  coefficients = np.array([
    stats.spearmanr(range(6), order).statistic
    for order in itertools.permutations(range(6))
  ])

  def p_value(limit: float) -> float:
    return float(np.mean(np.abs(coefficients) > limit - 1e-9))

  reached = np.unique(coefficients.round(9))
  assert p_value(reached[reached >= 0.88][0]) < 0.05
  assert p_value(reached[reached < 0.88][-1]) > 0.05


def _cohort() -> Cohort:
  candidates = []
  for i in range(12):
    candidates.append(
      Candidate(
        id=f'i{i}',
        path=f'{i}.png',
        label='ill' if i % 2 else 'well',
        group=f'g{i}',
        split='train' if i < 8 else 'test',
        columns=(('camera', 'AB'[i % 4 < 2]),),
      )
    )
  source = sources.Files(pathlib.Path())
  return Cohort('made up', source, ('ill', 'well'), tuple(candidates))


def test_known_subpopulations() -> None:
  cohort = _cohort()
  ids = [f'i{i}' for i in range(12)]
  parents = ids[:8] + ['i0', 'i1', 'i2'] + ids[8:]
  ids = ids[:8] + ['i0+1', 'i1+1', 'i2+1'] + ids[8:]
  samples = Samples(
    ids=tuple(ids),
    parents=tuple(parents),
    transforms=(augmentation.IDENTITY,) * 15,
    split=np.array(['train'] * 11 + ['test'] * 4),
    y=np.zeros(15, int),
    row=np.arange(15),
    pictures=(),
    y_of_pictures=np.zeros(15, int),
  )
  camera = [int(p[1:]) % 4 < 2 for p in parents]
  # Perfect for originals; copies, which do not count, are all elsewhere.
  labels = np.array([3 if '+' in i else 2 - c for i, c in zip(ids, camera)])
  labels[-4:] = [0, 1, 1, 1]
  got = analysis.known_subpopulations(cohort, samples, labels, 'camera')
  assert got.column == 'camera'
  assert got.adjusted_rand_train == 1
  want = sklearn_metrics.adjusted_rand_score(camera[-4:], [0, 1, 1, 1])
  assert got.adjusted_rand_test == pytest.approx(want)
  assert abs(want) < 1
  # A column that no image has tells nothing apart.
  got = analysis.known_subpopulations(cohort, samples, labels, 'eye')
  assert got.adjusted_rand_train == 0


def _cluster(c: int, size: float, originals: float) -> Cluster:
  return Cluster(
    id=c,
    size=size,
    originals=originals,
    class_counts={'ill': size / 2, 'well': size / 2},
    intra_cluster_distance=1.0,
    test=_score(),
    retrained=_score(),
    retrained_in_test_clusters=(_score(),) * 3,
    random=Random(**vars(_score()), runs=()),
  )


def test_clusters_that_augmentation_made() -> None:
  texts = analysis.artificial([
    _cluster(0, 100, 5),
    _cluster(1, 100, 5.5),
    _cluster(2, 101, 2.5),
    _cluster(3, 0, 0),
  ])
  assert [text.split(' are originals')[0] for text in texts] == [
    'Only 5 of the 100 training images of cluster 0',
    'Only 2.5 of the 101 training images of cluster 2',
  ]
