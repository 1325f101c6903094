"""Runs beside the paper and beside each other: cells, matches and reasons."""

from collections import Counter
import copy
import dataclasses
import itertools
import json
import math
import pathlib
import re
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
import numpy as np
import pytest

from heterojax.comparison import cells
from heterojax.comparison import matching
from heterojax.comparison import page
from heterojax.comparison import runs as runs_lib
from heterojax.comparison import side_by_side
from heterojax.comparison.runs import Run
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.stats.scores import PublishedScore
from heterojax.stats.scores import Score
from heterojax.studies.records import Split
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.records import Cluster
from heterojax.studies.retraining.records import PublishedCluster
from heterojax.studies.retraining.records import Random
from heterojax.studies.retraining.records import RandomRun
from heterojax.studies.retraining.records import Reduction
from heterojax.studies.retraining.records import Results

FUNDUS = ('cataract', 'normal fundus')
CHEST = ('Cardiomegaly', 'No Finding')
OTHER = ('glaucoma', 'no glaucoma')
_NAMES = metrics.names('classification')
PAPERS_MIXES = ((42, 0), (20, 421), (144, 130), (622, 49))


EXAMPLE = codec.decode(
  Results,
  json.loads(
    (
      pathlib.Path(__file__).parent.parent / 'docs/results_retraining.json'
    ).read_text()
  ),
)


def score(tp: int, fp: int, tn: int, fn: int) -> Score:
  """A score with intervals of 0.05 to each side, beyond 0 and 1 too."""
  values = {
    'accuracy': (tp + tn) / (tp + fp + tn + fn),
    'auc': 0.9,
    'sensitivity': tp / (tp + fn),
    'specificity': tn / (tn + fp),
  }
  intervals = {k: (v - 0.05, v + 0.05) for k, v in values.items()}
  return Score(tp + fp + tn + fn, tp, fp, tn, fn, values, intervals)


def results(
  protocol: str = 'clean',
  classes: tuple[str, str] = FUNDUS,
  mixes: tuple[tuple[float, float], ...] = PAPERS_MIXES,
  right: int = 90,
  folds: int = 0,
) -> Results:
  """Results of 100 + 100 test images, `right` of each class right."""
  counts = lambda pair: dict(zip(classes, pair))
  k = len(mixes)
  runs = [score(80 + r, 20 - r, 80 + r, 20 - r) for r in range(5)]
  random = Random(
    **vars(scores.mean_score(runs)),
    runs=tuple(RandomRun(**vars(run), class_counts={}) for run in runs),
  )
  total = [sum(mix[c] for mix in mixes) for c in (0, 1)]
  return dataclasses.replace(
    EXAMPLE,
    protocol=protocol,
    seed=0,
    split=Split(folds, False),
    dataset=dataclasses.replace(
      EXAMPLE.dataset,
      name='made up',
      positive=classes[0],
      negative=classes[1],
      n_train=828,
      n_train_augmented=sum(total),
      n_validation=0,
      n_test=200,
      class_counts_train=counts((414, 414)),
      class_counts_train_augmented=counts(total),
      class_counts_test=counts((100, 100)),
      notes=(),
    ),
    backbone=dataclasses.replace(
      EXAMPLE.backbone,
      name='efficientnet_b0',
      source='keras_imagenet',
      weights='imagenet',
      weights_sha256='ab' * 32,
      feature='flatten',
      train='frozen',
      dim=62720,
      dtype='float32',
    ),
    reduction=Reduction('pca', 'train', 200, 0.9, None),
    overall=score(right, 100 - right, right, 100 - right),
    clusters=tuple(
      Cluster(
        id=i,
        size=sum(mix),
        originals=sum(mix),
        class_counts=counts(mix),
        intra_cluster_distance=100.0 + i,
        test=score(20 + i, 5, 20, 5),
        retrained=score(50 + i, 50, 90 - i, 10),
        retrained_in_test_clusters=(),
        random=random,
      )
      for i, mix in enumerate(mixes)
    ),
    between_cluster_distances=tuple(
      tuple(abs(10.0 * i - 10 * j) for j in range(k)) for i in range(k)
    ),
    leaks={
      'same_path': Partly(counts((0, 0))),
      'identical_file': Partly(counts((0, 0))),
      'shared_group': Missing('no image names a group'),
    },
  )


def changed(own: Results, section: str, **fields: Any) -> Results:
  """The results with fields of a section changed."""
  inner = dataclasses.replace(getattr(own, section), **fields)
  return dataclasses.replace(own, **{section: inner})


def compare(*all_results: Results) -> side_by_side.Comparison:
  runs = [Run(f'runs/{i}', r) for i, r in enumerate(all_results)]
  (group,) = runs_lib.grouped(runs)
  return side_by_side.compare(group)


def cell(
  compared: side_by_side.Comparison, row: str, metric: str, source: str
) -> cells.Cell:
  (found,) = [
    c
    for c in compared.cells
    if (c.row, c.metric, c.source) == (row, metric, source)
  ]
  return found


def clusters_of(mixes) -> list[PublishedCluster]:
  none = PublishedScore({})
  return [
    PublishedCluster(i, a + b, {'ill': a, 'well': b}, 1.0, none, none)
    for i, (a, b) in enumerate(mixes)
  ]


MIX = st.tuples(st.integers(0, 50), st.integers(1, 50))


@pytest.mark.medium
@settings(deadline=None, max_examples=60)
@given(
  st.lists(MIX, min_size=1, max_size=5), st.lists(MIX, min_size=1, max_size=5)
)
def test_matching_is_the_best_of_all_permutations(a, b) -> None:
  reference, ours = clusters_of(a), clusters_of(b)
  mix = matching.by_mix(reference, ours, ('ill', 'well'))
  pairs = matching.match(reference, ours, mix)
  # Each cluster of each side once.
  assert [p.reference for p in pairs if p.reference is not None] == [
    c.id for c in reference
  ]
  assert sorted(p.ours for p in pairs if p.ours is not None) == [
    c.id for c in ours
  ]

  def cost(i: int, j: int) -> float:
    mix = a[i][0] / sum(a[i]) - b[j][0] / sum(b[j])
    share = sum(a[i]) / np.sum(a) - sum(b[j]) / np.sum(b)
    return math.hypot(mix, share)

  matched = [p for p in pairs if p.cost is not None]
  assert len(matched) == min(len(a), len(b))
  for p in matched:
    assert p.cost == pytest.approx(cost(p.reference, p.ours), abs=1e-12)
  if len(a) <= len(b):
    sums = (
      sum(cost(i, j) for i, j in enumerate(js))
      for js in itertools.permutations(range(len(b)), len(a))
    )
  else:
    sums = (
      sum(cost(i, j) for j, i in enumerate(order))
      for order in itertools.permutations(range(len(a)), len(b))
    )
  assert sum(p.cost for p in matched) == pytest.approx(min(sums), abs=1e-9)


def test_the_papers_clusters_in_another_order_match_at_no_cost() -> None:
  order = (2, 0, 3, 1)
  compared = compare(results(mixes=tuple(PAPERS_MIXES[i] for i in order)))
  pairs = compared.matches['clean protocol']
  assert [(p.reference, order[p.ours]) for p in pairs] == [
    (i, i) for i in range(4)
  ]
  assert [p.cost for p in pairs] == pytest.approx([0] * 4)
  found = cell(compared, 'cluster 2', 'size', 'clean protocol')
  assert (found.value, found.note) == (274, 'our cluster 0')
  # The centroids of ours lie on a line, 10 apart.
  for row, distance, ours in (
    ('clusters 0 and 1', 20, '1 and 3'),
    ('clusters 0 and 2', 10, '1 and 0'),
    ('clusters 2 and 3', 20, '0 and 2'),
  ):
    found = cell(compared, row, 'centroid_distance', 'clean protocol')
    assert (found.value, found.note) == (distance, f'our clusters {ours}')


def test_the_cost_is_zero_to_one_for_opposite_mixes() -> None:
  ill, well = clusters_of([(5, 0)]), clusters_of([(0, 9)])
  mix = matching.by_mix(ill, well, ('ill', 'well'))
  assert mix == pytest.approx(np.ones((1, 1)))


@pytest.mark.parametrize('classes', [FUNDUS, CHEST])
def test_every_published_cell_stands_there_once(classes) -> None:
  known = wang2023.published(*classes)
  compared = compare(results(classes=classes), results('published', classes))
  first, second, _ = known.printed_in.values()
  expected = {
    (first, 'whole test set', 'accuracy'): known.overall.value('accuracy')
  }
  for i, c in enumerate(known.test_clusters, 1):
    expected[first, f'test cluster {i}', 'accuracy'] = c.test.value('accuracy')
  for c in known.clusters:
    row = (second, f'cluster {c.id}')
    expected[*row, 'size'] = c.size
    expected[*row, 'n_positive'] = c.class_counts[classes[0]]
    expected[*row, 'n_negative'] = c.class_counts[classes[1]]
    expected[*row, 'intra_cluster_distance'] = c.intra_cluster_distance
    for kind, name in itertools.product(('retrained', 'random'), _NAMES):
      expected[*row, f'{kind}_{name}'] = getattr(c, kind).value(name)
  found = [
    c
    for c in compared.cells
    if c.source == side_by_side.PAPER and c.table.startswith('Table')
  ]
  assert len(expected) == 5 + 4 * 12 == len(found)
  assert {(c.table, c.row, c.metric): c.value for c in found} == expected
  # No number of any source stands there twice.
  where = Counter(c[:4] for c in compared.cells if c.value is not None)
  assert set(where.values()) == {1}


def test_wilson_intervals_of_the_paper() -> None:
  compared = compare(results())
  paper = side_by_side.PAPER
  whole = cell(compared, 'whole test set', 'accuracy', paper)
  # 202 of 208 by Wilson's formula.
  p, n, z = 202 / 208, 208, 1.959963984540054
  middle = (p + z * z / (2 * n)) / (1 + z * z / n)
  half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
  assert (whole.lo, whole.hi) == pytest.approx((middle - half, middle + half))
  assert whole.n == 208 and '[our computation]' in whole.interval
  sensitivity = cell(compared, 'cluster 1', 'retrained_sensitivity', paper)
  assert sensitivity.n == 104 and sensitivity.lo < 0.6731 < sensitivity.hi
  for name in ('retrained_auc', 'random_accuracy', 'size'):
    assert cell(compared, 'cluster 1', name, paper).lo is None
  assert cell(compared, 'test cluster 2', 'accuracy', paper).n is None


def test_our_cells_are_those_of_the_results() -> None:
  given_results = results()
  compared = compare(given_results)
  mine = 'clean protocol'
  for pair in compared.matches[mine]:
    c = given_results.clusters[pair.ours]
    row = f'cluster {pair.reference}'
    for name in _NAMES:
      found = cell(compared, row, f'retrained_{name}', mine)
      assert found.value == c.retrained.value(name)
      assert (found.lo, found.hi) == c.retrained.interval(name)
      assert found.interval == '95%'
      found = cell(compared, row, f'random_{name}', mine)
      runs = [run.value(name) for run in c.random.runs]
      assert (found.value, found.lo, found.hi) == (
        c.random.value(name),
        min(runs),
        max(runs),
      )
      assert found.interval == 'minimum to maximum of 5 runs'
  found = cell(compared, 'cluster 0', 'retrained_sensitivity', mine)
  assert found.n == 60
  found = cell(compared, 'our test cluster 3', 'accuracy', mine)
  assert found.value == 43 / 53 and found.n == 53


def test_more_and_fewer_clusters_than_the_paper() -> None:
  mixes = (*PAPERS_MIXES, (300, 300))
  compared = compare(
    results(mixes=mixes), results('published', mixes=mixes[:3])
  )
  more, fewer = compared.matches.values()
  assert [p.ours for p in more if p.reference is None] == [4]
  row = 'our cluster 4, not matched'
  assert cell(compared, row, 'size', 'clean protocol').value == 600
  assert sum(p.ours is None for p in fewer) == 1
  lost = next(p.reference for p in fewer if p.ours is None)
  found = cell(
    compared, f'cluster {lost}', 'matched_cluster', 'published protocol'
  )
  assert found.value is None and found.note == 'no cluster is left to match'
  pairs = [c for c in compared.cells if c.metric == 'centroid_distance']
  by_run = Counter(c.source for c in pairs)
  assert by_run == {'clean protocol': 10, 'published protocol': 3}
  found = cell(
    compared, 'clusters 3 and our 4', 'centroid_distance', 'clean protocol'
  )
  assert found.value == 10
  page.render([compared])


def test_figure_cells_are_empty_and_the_sentences_stand_there() -> None:
  compared = compare(results())
  figure = [c for c in compared.cells if c.table == 'Figure 1']
  paper = [c for c in figure if c.source == side_by_side.PAPER]
  assert [c.value for c in paper] == [None]
  assert 'Cluster 0 is distant' in paper[0].note
  assert paper[0].note in page.render([compared])
  assert len(figure) == 1 + 6


@pytest.mark.parametrize(
  'right, words', [(97, 'overlap'), (70, 'do not overlap')]
)
def test_difference_of_the_protocols(right: int, words: str) -> None:
  clean = dataclasses.replace(results('clean', right=right), seed=5)
  compared = compare(results('published', right=98), clean)
  found = cell(
    compared,
    'clean protocol minus published protocol',
    'accuracy',
    'difference',
  )
  assert found.value == pytest.approx(right / 100 - 0.98)
  assert found.note == f'the 95% intervals {words}'
  (sentence,) = compared.differences
  assert 'is no test, and the two test sets differ' in sentence
  assert 'seed (5 and 0)' in sentence
  assert found.note in page.render([compared])


def test_without_intervals_nothing_is_made_up() -> None:
  def strip(own: Results) -> Results:
    tree = without(codec.encode(own))
    return codec.decode(Results, json.loads(json.dumps(tree)))

  def without(tree: Any) -> Any:
    if isinstance(tree, dict):
      return {k: without(v) for k, v in tree.items() if k != 'intervals'}
    return [without(v) for v in tree] if isinstance(tree, list) else tree

  compared = compare(strip(results()), strip(results('published')))
  mine = [
    c
    for c in compared.cells
    if c.source != side_by_side.PAPER and c.metric != 'gain'
  ]
  assert {c.interval for c in mine if c.lo is not None} == {
    'minimum to maximum of 5 runs'
  }
  found = cell(compared, 'whole test set', 'accuracy', 'clean protocol')
  assert found.note == 'results.json gives no 95% interval'
  differences = [c.note for c in mine if c.source == 'difference']
  assert differences == ['not both have an interval'] * 2


def without(own: Score, name: str, why: str) -> Score:
  """A score that lacks a metric."""
  return dataclasses.replace(
    own,
    values=own.values | {name: Missing(why)},
    intervals=own.intervals | {name: None},
  )


def test_null_says_why() -> None:
  broken = results()
  first, *others = broken.clusters
  first = dataclasses.replace(
    first,
    intra_cluster_distance=Missing('one image has no pair'),
    test=without(score(20, 5, 20, 5), 'accuracy', 'no images'),
  )
  broken = dataclasses.replace(
    broken,
    clusters=(first, *others),
    overall=without(broken.overall, 'auc', 'all images are alike'),
  )
  compared = compare(broken, results('published'))
  mine = 'clean protocol'
  found = cell(compared, 'our test cluster 0', 'accuracy', mine)
  assert found.note == 'not estimable: no images' and found.lo is None
  assert page.by_accuracy(compared, mine)[-1] is found
  found = cell(compared, 'cluster 0', 'intra_cluster_distance', mine)
  assert found.note.endswith('not estimable: one image has no pair')
  row = 'clean protocol minus published protocol'
  assert cell(compared, row, 'auc', 'difference').value is None
  html = page.render([compared])
  for why in ('no images', 'one image has no pair', 'all images are alike'):
    assert f'not estimable: {why}' in html


def test_test_clusters_are_sorted_and_not_paired() -> None:
  compared = compare(results())
  for source in (side_by_side.PAPER, 'clean protocol'):
    found = [c.value for c in page.by_accuracy(compared, source)]
    assert len(found) == 4 and found == sorted(found, reverse=True)
  of_paper, of_ours = (
    {c.row for c in compared.cells if c.source == s and 'test cluster' in c.row}
    for s in (side_by_side.PAPER, 'clean protocol')
  )
  assert not of_paper & of_ours
  assert 'paired with nothing' in page.render([compared])


def test_runs_without_a_published_reference() -> None:
  mixes = ((10, 0), (0, 10), (5, 5))
  compared = compare(
    results(classes=OTHER, mixes=mixes),
    results('published', classes=OTHER, mixes=mixes[::-1]),
  )
  paper = [c for c in compared.cells if c.source == side_by_side.PAPER]
  assert not paper
  first, second = compared.matches.values()
  assert [p.ours for p in first] == [0, 1, 2]
  assert [p.ours for p in second] == [2, 1, 0]
  assert [p.cost for p in (*first, *second)] == pytest.approx([0] * 6)
  assert not [r for r in compared.reasons if 'paper' in r.why]
  html = page.render([compared])
  # Neither a column of the paper nor its name.
  assert 'Wang' not in html and 'The paper' not in html
  assert '<h1>Runs side by side</h1>' in html


def test_pairs_of_classes_have_groups_of_their_own() -> None:
  runs = [
    Run(str(i), results(classes=classes))
    for i, classes in enumerate((FUNDUS, CHEST, FUNDUS, OTHER))
  ]
  groups = runs_lib.grouped(runs)
  assert [(g.classes.names, len(g.runs)) for g in groups] == [
    (FUNDUS, 2),
    (CHEST, 1),
    (OTHER, 1),
  ]
  assert [g.published is None for g in groups] == [False, False, True]


def test_labels() -> None:
  runs = [
    Run('a/x', results()),
    Run('a/y', results()),
    Run('b/y', results()),
    Run('c', results('published')),
    Run('d', results(folds=4)),
  ]
  (group,) = runs_lib.grouped(runs)
  assert [run.label for run in group.runs] == [
    'clean protocol (x)',
    'clean protocol (a/y)',
    'clean protocol (b/y)',
    'published protocol',
    'clean protocol, 4 folds',
  ]
  # What all have in common names none of them.
  (group,) = runs_lib.grouped(runs[:2])
  assert [run.label for run in group.runs] == ['x', 'y']


def test_means_over_folds_are_shown_as_numbers() -> None:
  mixes = ((42.25, 0.5), (20.0, 421.75), (144.0, 130.0))
  html = page.render([compare(results(mixes=mixes, folds=4))])
  for text in ('42.2', '421.8', '144', '441.8'):
    assert re.search(rf'>\s*{re.escape(text)}\s*<', html), text
  assert 'with 4 folds every image is tested once' in html


def reasons(compared: side_by_side.Comparison) -> str:
  return '\n'.join(f'{r.why} {r.mark}' for r in compared.reasons)


def test_reasons_come_from_the_results() -> None:
  text = reasons(compare(results()))
  for absent in ('EfficientNet', 'clustered;', '828', '4 clusters', 'byte'):
    assert absent not in text
  assert '200 instead of 208 for testing' in text
  assert 'rotations of up to 5 degrees' in text and '[our choice]' in text

  none = Missing('the features were not reduced')
  other = dataclasses.replace(
    results('published', mixes=PAPERS_MIXES[:3]),
    reduction=Reduction('none', 'train', none, none, None),
    leaks={'identical_file': Partly(dict(zip(FUNDUS, (7, 1))))},
  )
  other = changed(other, 'backbone', name='efficientnet_lite0', feature='avg')
  notes = ('Only 507 rows have a file.',)
  other = changed(other, 'dataset', n_train=811, notes=notes)
  text = reasons(compare(other))
  for present in (
    'EfficientNet-Lite0 with weights imagenet',
    'the mean of the last',
    'the features as they are were clustered; in the paper, 200 principal',
    '3 clusters; the paper has 4',
    '811 instead of 828 for training',
    '8 of 200 test images are, byte for byte',
    'Only 507 rows have a file.',
  ):
    assert present in text


def test_ready_features() -> None:
  unknown = Missing('the features are given')
  ready = changed(
    results(),
    'backbone',
    name='given',
    source=unknown,
    weights=unknown,
    weights_sha256=unknown,
    feature='given',
    dim=512,
    dtype=unknown,
  )
  compared = compare(ready)
  assert 'features that were given ready; the paper used' in reasons(compared)
  assert 'random weights' not in page.render([compared])


def test_a_reason_of_two_runs_stands_there_once() -> None:
  runs = [
    changed(results(protocol), 'backbone', name='efficientnet_lite0')
    for protocol in ('clean', 'published')
  ]
  found = [
    r for r in compare(*runs).reasons if 'EfficientNet-Lite0 with' in r.why
  ]
  assert len(found) == 1
  assert found[0].why.startswith('Clean protocol and published protocol: ')


def test_chest_runs_name_the_impossible_value() -> None:
  compared = compare(results(classes=CHEST))
  found = cell(compared, 'test cluster 4', 'accuracy', side_by_side.PAPER)
  assert found.value == 0.7351
  assert 'no fraction of at most 57 images' in found.note
  notes = [c.note for c in compared.cells if c.row.startswith('test cluster')]
  assert sum('no fraction' in note for note in notes) == 1
  html = page.render([compared])
  assert '17/23 = 0.7391' in html and '1024 x 1024' in html


def test_nothing_changes_the_results() -> None:
  given_results = results()
  before = copy.deepcopy(given_results)
  compare(given_results)
  assert given_results == before


def test_an_empty_cluster_has_a_place() -> None:
  clusters = clusters_of([(6, 2), (0, 0)])
  assert matching.place(clusters, ('ill', 'well')) == [[0.75, 1.0], [0.0, 0.0]]


def test_a_metric_that_paper_and_older_runs_lack(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """It is no share: neither a Wilson interval nor a value is made up for it."""
  older = results('published')
  metric = metrics.Metric(
    'ece',
    'ECE',
    'expected calibration error',
    'distance of probability and frequency',
    ('classification',),
    lambda answers: metrics.Estimated(0.25, (0.2, 0.3)),
    'bootstrap',
  )
  monkeypatch.setitem(metrics.METRICS, 'ece', metric)
  newer = results()
  clusters = tuple(
    dataclasses.replace(
      c,
      retrained=dataclasses.replace(
        c.retrained,
        values=c.retrained.values | {'ece': 0.25},
        intervals=c.retrained.intervals | {'ece': (0.2, 0.3)},
      ),
    )
    for c in newer.clusters
  )
  compared = compare(dataclasses.replace(newer, clusters=clusters), older)
  for i in range(4):
    found = cell(compared, f'cluster {i}', 'retrained_ece', 'clean protocol')
    assert (found.value, found.lo, found.hi) == (0.25, 0.2, 0.3)
    for kind in ('retrained', 'random'):
      for source in ('published protocol', side_by_side.PAPER):
        found = cell(compared, f'cluster {i}', f'{kind}_ece', source)
        assert found.value is None and found.lo is None
        assert found.note.endswith('not reported')
  html = page.render([compared])
  assert 'ECE, retrained' in html and '0.250' in html
  # A paper that prints it prints no interval.
  where = ('Table 3', 'cluster 0', 'retrained_ece')
  found = cells.printed(where, metric, PublishedScore({'ece': 0.1}), (4, 6))
  assert (found.value, found.lo, found.n) == (0.1, None, 10)
  assert found.note == 'an expected calibration error alone has no interval'
