"""What the numbers of a retraining study are said to mean."""

import itertools
import pathlib

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
import snapshots

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
from heterojax.studies.retraining.records import RandomRun
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
  got = analysis.distance_vs_performance(_retrained(**values), distances)
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
  got = analysis.distance_vs_performance(clusters, distances)
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
  got = analysis.distance_vs_performance(_retrained(accuracy=values), distances)
  pairs = list(itertools.combinations(range(4), 2))
  want = stats.spearmanr(
    [distances[a, b] for a, b in pairs], [b - a for a, b in pairs]
  )
  assert got.spearman['accuracy'] == pytest.approx(want.statistic)


def test_two_clusters_have_no_ranking() -> None:
  got = analysis.distance_vs_performance(
    _retrained(accuracy=[0.9, 0.8]), _distances(np.array([[0.0], [3.0]]))
  )
  (pair,) = got.pairs
  assert pair.centroid_distance == 3
  assert pair.difference['accuracy'] == pytest.approx(0.1)
  for name in METRICS:
    assert got.spearman[name] == Missing('1 pairs have no ranking')
  assert got.why.startswith('k = 2 gives 1 pair, which')


def test_what_could_not_be_estimated_is_left_out() -> None:
  rng = np.random.default_rng(1)
  distances = _distances(rng.normal(size=(4, 3)))
  values = [0.9, None, 0.4, 0.6]
  got = analysis.distance_vs_performance(_retrained(auc=values), distances)
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
    _retrained(auc=[0.9, None, None, 0.6]), distances
  )
  assert got.spearman['auc'] == Missing('1 pairs have no ranking')


def test_what_six_pairs_can_show() -> None:
  got = analysis.distance_vs_performance(
    _retrained(accuracy=[0.9, 0.8, 0.5, 0.1]), _distances(np.eye(4))
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


def _cluster(
  c: int,
  where: list[float | None],
  whole: float | None,
  runs: list[float],
  counts: tuple[int, int] = (50, 50),
  originals: float = 60,
) -> Cluster:
  """A cluster of 100 whose head is right for so much of 20 images each."""
  mean = _score(accuracy=float(np.mean(runs)) if runs else None)
  return Cluster(
    id=c,
    size=sum(counts),
    originals=originals,
    class_counts={'ill': counts[0], 'well': counts[1]},
    intra_cluster_distance=1.0,
    test=_score(),
    retrained=_score(60 if runs else 0, accuracy=whole),
    retrained_in_test_clusters=tuple(
      _score(0, 0, accuracy=None)
      if share is None
      else _score(20, 10, 4, accuracy=share)
      for share in where
    ),
    random=Random(
      **vars(mean),
      runs=tuple(
        RandomRun(**vars(_score(accuracy=run)), class_counts={}) for run in runs
      ),
    ),
  )


_GOOD = [0.85, 0.9, 0.95]
_EMPTY = _cluster(0, [None] * 3, None, [], (0, 0), originals=0)
# Title to clusters: every sentence that findings may have.
_CASES = {
  'one fails, and where': [
    _cluster(0, [0.9, 0.88, 0.9], 0.89, _GOOD),
    # 14 of the 20 are positive.
    _cluster(1, [0.55, 0.95, 0.4], 0.64, _GOOD),
    _cluster(2, [0.9, 0.9, 0.9], 0.9, _GOOD),
  ],
  'beside an empty cluster': [
    _EMPTY,
    _cluster(1, [None, 0.95, 0.4], 0.64, _GOOD),
    _cluster(2, [None, 0.9, 0.9], 0.9, _GOOD),
  ],
  'none fails': [_EMPTY, _cluster(2, [None, 0.9, 0.9], 0.9, _GOOD)],
  'all are empty': [_EMPTY, _EMPTY],
  'made by augmentation': [
    _cluster(0, [0.9, 0.9, 0.9], 0.9, _GOOD, originals=5),
    _cluster(1, [0.9, 0.9, 0.9], 0.9, _GOOD, originals=5.5),
    _cluster(2, [0.9, 0.9, 0.9], 0.9, _GOOD, (40, 61), originals=2.5),
  ],
  'no test images at home': [
    _cluster(0, [None, 0.5, None], 0.6, _GOOD),
    _cluster(1, [None, 0.9, None], 0.9, _GOOD),
  ],
  'worse everywhere, failing nowhere': [
    _cluster(0, [0.7, 0.75], 0.75, _GOOD),
    _cluster(1, [0.4, 0.9], 0.9, _GOOD),
  ],
  'of one class to 90 %': [
    _cluster(0, [0.9, 0.1], 0.5, _GOOD, (90, 10)),
    _cluster(1, [0.9, 0.9], 0.9, _GOOD, (100, 0)),
  ],
  'of one class alone': [
    _cluster(0, [0.9, 0.1], 0.5, _GOOD, (0, 100)),
    _cluster(1, [0.9, 0.9], 0.9, _GOOD, (100, 0)),
  ],
}


def test_what_findings_say() -> None:
  lines = []
  for title, clusters in _CASES.items():
    lines += [f'=== {title}', *analysis.findings(clusters)]
  snapshots.check('retraining_findings', '\n'.join(lines) + '\n')


def _findings(title: str) -> list[str]:
  return analysis.findings(_CASES[title])


def test_findings_names_the_cluster_that_fails_and_where() -> None:
  summary, text = _findings('one fails, and where')
  assert summary.startswith('1 of 3 clusters') and 'one class' not in summary
  # Its own share of all 60, the means of the others, and at home.
  for number in (
    'cluster 1',
    '64% of the 60',
    '90%',
    '85% to 95%',
    '95% of 20',
  ):
    assert number in text
  assert '70%' in text  # 14 of the 20 are positive.
  fails = text[text.index('it fails elsewhere') :]
  assert '55% of 20 in cluster 0, 40% of 20 in cluster 2.' in fails


def test_findings_beside_an_empty_cluster() -> None:
  summary, text = _findings('beside an empty cluster')
  assert summary.startswith('1 of 3 clusters') and 'cluster 1' in text
  (alone,) = _findings('none fails')
  assert 'behind all 3 heads' in alone and 'With 60 test images' in alone
  assert len(_findings('all are empty')) == 1


def test_findings_of_clusters_that_augmentation_made() -> None:
  _, *texts = _findings('made by augmentation')
  assert [text.split(' are originals')[0] for text in texts] == [
    'Only 5 of the 100 training images of cluster 0',
    'Only 2.5 of the 101 training images of cluster 2',
  ]


def test_findings_without_test_images_at_home_or_elsewhere() -> None:
  _, text = _findings('no test images at home')
  assert 'It fails elsewhere: 50% of 20 in cluster 1.' in text
  assert 'In its own cluster' not in text
  _, text = _findings('worse everywhere, failing nowhere')
  assert 'fails elsewhere' not in text


@pytest.mark.parametrize(
  'title, share, name',
  [
    ('of one class to 90 %', '90%', 'ill'),
    ('of one class alone', '100%', 'well'),
  ],
)
def test_findings_of_a_lopsided_cluster(
  title: str, share: str, name: str
) -> None:
  summary, text = _findings(title)
  assert 'In 1 of them one class' in summary
  assert f'{share} of its training images are {name}, so' in text
  assert 'does not hold for the others' not in text


@pytest.mark.parametrize(
  'whole, runs, found',
  [
    # Failing in a cluster is nothing where chance subsets fail as well.
    (0.70, [0.78, 0.79, 0.80], False),
    (0.70, [0.71, 0.86, 0.88], True),
    # One of them is as bad.
    (0.70, [0.70, 0.90, 0.90], False),
    # Ten points exactly, and in float64 a little less.
    (0.80, [0.90, 0.90], True),
    (0.80, [0.85, 0.90, 0.95], True),
    (0.80, [0.89, 0.90], False),
    (0.95, _GOOD, False),
  ],
)
def test_what_counts_as_falling_behind(
  whole: float, runs: list[float], found: bool
) -> None:
  texts = analysis.findings([
    _cluster(0, [0.9, 0.4], whole, runs),
    _cluster(1, [0.9, 0.9], 0.95, [0.9] * len(runs)),
  ])
  assert len(texts) == (2 if found else 1)
  if not found:
    assert f'With 60 test images and {len(runs)} random runs' in texts[0]
