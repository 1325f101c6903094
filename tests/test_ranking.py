"""How often runs agree, their key numbers, and which ranks images best."""

import dataclasses
import json
import pathlib

import answers
import numpy as np
import pytest

from heterojax.comparison import agreement
from heterojax.comparison import numbers
from heterojax.comparison import ranking
from heterojax.comparison import runs as runs_lib
from heterojax.comparison.runs import Group
from heterojax.comparison.runs import Run
from heterojax.datasets.manifest import csv_text
from heterojax.launch import compare
from heterojax.records import codec
from heterojax.stats import metrics
from heterojax.studies import reading
from heterojax.studies.answer import answer

DOCS = pathlib.Path(__file__).parent.parent / 'docs'
RETRAINING = DOCS / 'results_retraining.json'
SAMPLE_SIZE = DOCS / 'results_sample_size.json'
ILL, WELL = 'cataract', 'normal fundus'


def run_of(
  folder: pathlib.Path,
  scores: np.ndarray,
  *,
  ids: range | None = None,
  patients: int = 1,
  **settings,
) -> str:
  """A finished run: images by turns ill and well, with these scores."""
  folder.mkdir(parents=True)
  (folder / 'results.json').write_text(RETRAINING.read_text())
  (folder / 'config.json').write_text(json.dumps({'seed': 0, **settings}))
  y = np.arange(len(scores)) % 2
  ids = ids or range(len(scores))
  manifest = [
    (f'i{i}', f'{i}.png', ILL if y[n] else WELL, f'p{i // patients}')
    for n, i in enumerate(ids)
  ]
  said = [
    (f'i{i}', 'test', 0, 1.0, float(p), str(bool((p > 0.5) == y[n])).lower())
    for n, (i, p) in enumerate(zip(ids, scores))
  ]
  text = csv_text(('id', 'path', 'label', 'group'), manifest)
  (folder / 'manifest.csv').write_text(text)
  header = ('id', 'split', 'cluster', 'centroid_distance', 'probability')
  (folder / 'clusters.csv').write_text(csv_text((*header, 'correct'), said))
  return str(folder)


def scores(n: int, skill: float, seed: int) -> np.ndarray:
  rng = np.random.default_rng(seed)
  logits = skill * (np.arange(n) % 2 - 0.5) + rng.normal(size=n)
  return 1 / (1 + np.exp(-logits))


def group_of(*folders: str) -> Group:
  (group,) = runs_lib.grouped(runs_lib.read(folders))
  return group


def test_a_better_encoder_is_named(tmp_path) -> None:
  good, poor, same = scores(200, 4, 0), scores(200, 0.2, 1), scores(200, 4, 2)
  group = group_of(
    run_of(tmp_path / 'poor', poor),
    run_of(tmp_path / 'good', good),
    run_of(tmp_path / 'same', same),
  )
  pairs = {(p.better, p.worse): p for p in ranking.pairs(group)}
  y = np.arange(200) % 2
  found = pairs['good', 'poor']
  assert found.n == 200 and found.shown
  expected = metrics.auc(y, good) - metrics.auc(y, poor)
  assert found.difference.value == pytest.approx(expected)
  # The smallest of three p-values is taken three times.
  least = min(p.difference.p_value for p in pairs.values())
  assert min(p.adjusted for p in pairs.values()) == pytest.approx(3 * least)
  said = ranking.sentences([*pairs.values()])
  assert len(said) == 2  # Nothing is said of the two good ones.
  assert all('better than poor' in sentence for sentence in said)


def test_order_and_units_do_not_matter(tmp_path) -> None:
  """Runs list images in their own order, and may have tested some alone."""
  all_scores, other = scores(100, 2, 0), scores(100, 1, 1)
  whole = run_of(tmp_path / 'whole', all_scores, patients=2)
  backwards = run_of(tmp_path / 'back', other, patients=2)
  part = run_of(tmp_path / 'part', other[:40], patients=2)
  lines = (tmp_path / 'back' / 'clusters.csv').read_text().splitlines()
  text = '\n'.join([lines[0], *lines[:0:-1]]) + '\n'
  (tmp_path / 'back' / 'clusters.csv').write_text(text)
  ((pair),) = ranking.pairs(group_of(whole, backwards))
  y = np.arange(100) % 2
  expected = metrics.auc(y, all_scores) - metrics.auc(y, other)
  assert (pair.better, pair.worse, pair.n) == ('whole', 'back', 100)
  assert pair.difference.value == pytest.approx(expected)
  (pair,) = ranking.pairs(group_of(whole, part))
  assert pair.n == 40
  expected = metrics.auc(y[:40], all_scores[:40]) - metrics.auc(
    y[:40], other[:40]
  )
  assert abs(pair.difference.value) == pytest.approx(abs(expected))


def test_other_images_are_not_compared(tmp_path) -> None:
  group = group_of(
    run_of(tmp_path / 'a', scores(40, 2, 0)),
    run_of(tmp_path / 'b', scores(40, 2, 0), ids=range(100, 140)),
  )
  (pair,) = ranking.pairs(group)
  assert (pair.n, pair.difference, pair.adjusted) == (0, None, None)
  (said,) = ranking.sentences([pair])
  assert said.startswith('1 pair of runs cannot be compared: too few images')


@pytest.mark.parametrize(
  'relabelled, compared', [(0, True), (4, True), (40, False)]
)
def test_numbers_of_rows_are_no_images(tmp_path, relabelled, compared) -> None:
  """Two data sets whose ids are 0, 1, 2 and so on are of other images."""
  folders = [
    run_of(tmp_path / name, scores(80, 2, i)) for i, name in enumerate('ab')
  ]
  table = tmp_path / 'b' / 'manifest.csv'
  header, *rows = [line.split(',') for line in table.read_text().splitlines()]
  at = header.index('label')
  names = sorted({row[at] for row in rows})
  stream = np.random.default_rng(0)
  for i in stream.permutation(len(rows))[:relabelled]:
    rows[i][at] = names[1 - names.index(rows[i][at])]
  text = '\n'.join(map(','.join, [header, *rows]))
  table.write_text(f'{text}\n')
  (pair,) = ranking.pairs(group_of(*folders))
  assert pair.n == (80 - relabelled if compared else 0)
  assert (pair.difference is not None) == compared


def test_the_same_scores_cannot_be_compared(tmp_path) -> None:
  group = group_of(
    run_of(tmp_path / 'a', scores(40, 2, 0)),
    run_of(tmp_path / 'b', scores(40, 2, 0)),
  )
  (said,) = ranking.sentences(ranking.pairs(group))
  assert said.startswith('1 pair of runs cannot be compared')
  assert said.endswith('as where both rank them alike.')


def answered(*words: str | None) -> list[Run]:
  results = reading.read(RETRAINING)
  verdict = answer.verdict(answers.found_in_first(4), answers.facts(4))
  return [
    Run(
      f'runs/{i}',
      dataclasses.replace(
        results,
        verdict=word and dataclasses.replace(verdict, answer=word),
      ),
      name=str(i),
    )
    for i, word in enumerate(words)
  ]


@pytest.mark.parametrize(
  'words, said',
  [
    (['yes'], 'The answer is: yes.'),
    (['no sign'] * 3, 'The answer was the same in all 3 runs: no sign.'),
    (
      ['no sign', 'yes', 'no sign', 'no sign', 'too little data'],
      'The answer was the same in 3 of 5 runs: no sign in 3, yes in 1 and too'
      ' little data in 1.',
    ),
    (
      ['yes', 'no sign'],
      'The answer was another one in each of 2 runs: yes in 1 and no sign in'
      ' 1.',
    ),
    (
      ['yes', None, 'yes'],
      'The answer was the same in all 2 runs: yes. 1 run had no answer.',
    ),
    (
      [None, None],
      'No run has an answer: it is that of classes, under the protocol clean.',
    ),
  ],
)
def test_the_first_line(words, said) -> None:
  assert agreement.sentence(answered(*words)) == said


def test_settings_that_differ() -> None:
  configs = [
    {'seed': 0, 'cluster': {'k': 4, 'tol': 0.1}},
    {'seed': 1, 'cluster': {'k': 4, 'tol': 0.1}},
    {'seed': 0, 'cluster': {'k': 5, 'tol': 0.1}, 'new': 'x'},
    None,
  ]
  runs = [
    run._replace(config=config)
    for run, config in zip(answered(*['yes'] * 4), configs)
  ]
  assert agreement.settings(runs) == [
    ('seed', {'0': ['0', '2'], '1': ['1']}),
    ('cluster.k', {'4': ['0', '1'], '5': ['2']}),
    ('new', {'absent': ['0', '1'], '"x"': ['2']}),
  ]


def test_settings_name_no_folder_of_a_machine() -> None:
  configs = [
    {'dir': '/home/me/a/images', 'method': 'ids:/home/me/x.csv'},
    {'dir': '~/b/images', 'method': 'kmeans'},
    {'dir': 's3://bucket/images', 'method': 'kmeans'},
  ]
  runs = [
    run._replace(config=config)
    for run, config in zip(answered(*['yes'] * 3), configs, strict=True)
  ]
  images = '"images" (1)', '"images" (2)', '"s3://bucket/images"'
  assert agreement.settings(runs) == [
    ('dir', {image: [str(i)] for i, image in enumerate(images)}),
    ('method', {'"ids:x.csv"': ['0'], '"kmeans"': ['1', '2']}),
  ]


def test_key_numbers_are_those_of_the_results() -> None:
  results = reading.read(RETRAINING)
  found = {
    (c.row, c.metric): c
    for c in numbers.of_run(Run('runs/a', results, label='a'))
  }
  whole = found['all test images', 'accuracy']
  assert whole.value == results.overall.value('accuracy')
  assert (whole.lo, whole.hi) == results.overall.interval('accuracy')
  worst = found['worst cluster', 'accuracy']
  each = [c.test.value('accuracy') for c in results.clusters]
  assert worst.value == min(v for v in each if v is not None)
  gain = found['cluster with the largest', 'gain']
  effects = [codec.known(c.effect) for c in results.verdict.one_rule.clusters]
  known = [value for value in effects if value is not None]
  assert gain.value == (max(known) if known else None)


def test_a_cluster_where_all_answers_are_wrong_is_the_worst() -> None:
  results = reading.read(RETRAINING)
  first, *others = results.clusters
  values = dict(first.test.values) | {'accuracy': 0.0}
  first = dataclasses.replace(
    first, test=dataclasses.replace(first.test, values=values)
  )
  assert all(c.test.value('accuracy') for c in others)
  results = dataclasses.replace(results, clusters=(first, *others))
  (worst,) = [
    c
    for c in numbers.of_run(Run('runs/a', results, label='a'))
    if c.row == 'worst cluster'
  ]
  assert (worst.value, worst.note) == (0.0, f'cluster {first.id}')


def test_key_numbers_of_a_sample_size_study() -> None:
  results = reading.read(SAMPLE_SIZE)
  found = [*numbers.of_run(Run('runs/a', results, label='a'))]
  assert numbers.panels(found)
  for size in results.sizes:
    cells = {c.metric: c for c in found if c.row == f'n = {size.n:,}'}
    cv = cells['mean_of_cvs']
    assert cv.value == codec.known(size.mean_of_cvs)
    each = [codec.known(fold.cv) for fold in size.folds]
    known = [value for value in each if value is not None]
    if len(known) > 1:
      assert (cv.lo, cv.hi) == (min(known), max(known))
    band = cells['cv_expected']
    assert (band.lo, band.hi) == (codec.known(size.cv_band) or (None, None))


@pytest.mark.slow
def test_two_studies_stand_on_one_page(tmp_path, capsys) -> None:
  a = run_of(tmp_path / 'a', scores(60, 2, 0), cluster={'k': 4})
  b = run_of(tmp_path / 'b', scores(60, 2, 1), cluster={'k': 5})
  other = tmp_path / 'sizes'
  other.mkdir()
  (other / 'results.json').write_text(SAMPLE_SIZE.read_text())
  out = tmp_path / 'out'
  folders = f'--workdirs={a},{b},{other}'
  assert compare.main(['compare.py', folders, f'--out={out}']) == 0
  said = capsys.readouterr().out
  found = json.loads((out / 'comparison.json').read_text())
  assert said.startswith(found['agreement'])
  assert [g['study'] for g in found['groups']] == ['retraining', 'sample_size']
  assert found['settings'] == [
    {'name': 'cluster.k', 'runs': {'4': ['a'], '5': ['b']}}
  ]
  assert len(found['groups'][0]['pairs']) == 1
  html = (out / 'comparison.html').read_text()
  assert html.index(found['agreement']) < html.index('<h2')
  assert html.count('<figure') == 2
  assert 'sizes: there is no config.json' in html
