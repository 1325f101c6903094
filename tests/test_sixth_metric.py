"""One more entry of METRICS is a metric everywhere."""

import json

import numpy as np
import pytest
from retraining_results import study

from heterojax.records import codec
from heterojax.report import blocks
from heterojax.report import drawing
from heterojax.stats import metrics
from heterojax.studies.retraining.pages import figures
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.records import Results

_NAME = 'mean_recall'


def _estimate(answers: metrics.Answers) -> metrics.Estimated:
  right = np.asarray(answers.predicted) == answers.y
  of_class = [right[np.asarray(answers.y) == c] for c in (0, 1)]
  if not all(map(len, of_class)):
    return metrics.Estimated(None, why='one class is missing')
  value = float(np.mean([np.mean(own) for own in of_class]))
  return metrics.Estimated(value, (value - 0.1, value + 0.1))


@pytest.fixture(name='metric')
def _metric(monkeypatch: pytest.MonkeyPatch) -> metrics.Metric:
  metric = metrics.Metric(
    _NAME,
    'Mean recall',
    'mean recall',
    'mean of the shares of {positive} and of {negative} that are right',
    ('classification',),
    _estimate,
    'Student',
  )
  monkeypatch.setitem(metrics.METRICS, _NAME, metric)
  return metric


def test_it_is_in_results_tables_figures_and_words(metric, tmp_path) -> None:
  results, view = study(tmp_path, 3, names=('cataract', 'normal fundus'))
  # Results: each score, its interval, the differences and their ranks.
  tree = codec.encode(results)
  assert tree['overall'][_NAME] == pytest.approx(
    (
      results.overall.value('sensitivity')
      + results.overall.value('specificity')
    )
    / 2
  )
  assert tree['overall']['intervals'][_NAME][0] == pytest.approx(
    tree['overall'][_NAME] - 0.1
  )
  for cluster in tree['clusters']:
    assert 0 <= cluster['random']['runs'][0][_NAME] <= 1
  pair = tree['distance_vs_performance']['pairs'][0]
  assert pair['difference'][_NAME] >= 0
  assert _NAME in tree['distance_vs_performance']['spearman']
  assert codec.decode(Results, json.loads(json.dumps(tree))) == results
  # Tables: the CSV file and the page.
  made = {table.name: table for table in tables.every(results)}
  header = made['table3'].csv().splitlines()[0].split(',')
  for start, ends in (('retrained', ('lo', 'hi')), ('random', ('min', 'max'))):
    assert f'{start}_{_NAME}' in header
    assert all(f'{start}_{_NAME}_{end}' in header for end in ends)
  assert f'difference_{_NAME}' in made['distance_vs_performance'].csv()
  heads = [column.head for column in made['table3'].heads]
  assert heads[-1] == metric.title
  (defined,) = [
    c.definition for c in made['table3'].definitions if c.head == metric.title
  ]
  assert defined == (
    'mean of the shares of cataract and of normal fundus that are right'
  )
  # Figures: a panel for each metric; the paper's block has one too.
  with drawing.style():
    drawn = figures.distance_vs_performance(results)
    titles = [axes.get_title('left') for axes in drawn.axes]
    assert len(titles) == 5 and titles[-1].startswith(metric.title)
    compared = figures.table3_retrained_vs_random(results)
    titles = [axes.get_title('left') for axes in compared.axes]
    assert len(titles) == 2 * 5 and titles.count(metric.title) == 2
  # Words.
  text = _text(page.page(results, view, [], {}))
  assert 'Accuracy, AUC, sensitivity, specificity and mean recall' in text
  assert (
    'by Wilson and, for the AUC, by Newcombe and, for the mean recall, by'
    ' Student'
  ) in text
  assert 'for the AUC, Newcombe; for the mean recall, Student)' in text
  # What the paper does not print.
  assert 'not reported' in str(made['table3'].cells[-1][-1][1])
  assert f'retrained_{_NAME} not reported' in made['table3'].csv()


def test_it_is_in_the_table_of_folds(metric, tmp_path) -> None:
  results, _ = study(tmp_path, 3, names=('a', 'b'), folds=3)
  table = tables.folds(results)
  assert metric.title in [column.head for column in table.heads]
  header = table.csv().splitlines()[0].split(',')
  assert {_NAME, f'{_NAME}_lo', f'{_NAME}_hi'} <= set(header)


def test_results_of_an_earlier_release_lack_it(monkeypatch, tmp_path) -> None:
  results, view = study(tmp_path, 3, names=('a', 'b'))
  with monkeypatch.context() as patch:
    patch.setitem(
      metrics.METRICS,
      _NAME,
      metrics.Metric(_NAME, 'B', 'b', 'b', 'classification', _estimate),
    )
    text = _text(page.page(results, view, [], {}))
    assert 'not reported' in text
    assert f'retrained_{_NAME} not reported' in tables.table3(results).csv()
    with drawing.style():
      drawn = figures.distance_vs_performance(results)
    assert drawn.axes[-1].get_title('left').startswith('B: Spearman not')


def _text(made: blocks.Page) -> str:
  """All texts and cells of a page."""
  found = []
  for section in made.sections:
    for block in section.blocks:
      if isinstance(block, blocks.Table):
        found += [str(text) for row in block.cells for _, text in row]
      elif isinstance(block, blocks.Figure):
        found += [block.alt, str(block.caption)]
      else:
        found += [str(getattr(block, 'text', ''))]
  return '\n'.join(found)
