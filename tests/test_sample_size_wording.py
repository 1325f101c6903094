"""What the report says of a sample-size study."""

import copy

import pytest
from sample_size_results import CONFIGS
from sample_size_results import example

from heterojax import heterogeneity
from heterojax.configs import psp
from heterojax.report.sample_size import deviations
from heterojax.report.sample_size import methods
from heterojax.report.sample_size import tables
from heterojax.report.sample_size import values
from heterojax.report.sample_size import wording


def judged(cv: float | None, band: list[float] | None, expected=0.06) -> dict:
  """Results of one size with a CV beside what chance gives."""
  results = example(sizes=(400,))
  results['sizes'][0] |= {
      'mean_of_cvs': cv, 'cv_band': band, 'cv_expected': expected,
      'band': heterogeneity.band(cv),
  }  # pyformat: disable
  return results


@pytest.mark.parametrize(
    'cv, position, said',
    [
        (0.1401, 'above', 'differ in accuracy by more than chance explains'),
        (0.14, 'inside', 'neither shows that the accuracy depends on'),
        (0.02, 'inside', 'nor rules it out'),
        (0.0199, 'below', 'no sign of heterogeneity'),
    ],
)
def test_the_verdict_is_against_chance(cv, position, said):
  results = judged(cv, [0.02, 0.14])
  assert values.position(results['sizes'][0], 'mean_of_cvs') == position
  sentence = wording.largest(results)
  assert said in sentence and 'no effect' not in sentence
  # One digit would not tell them from an end of the band.
  assert f'{100 * cv:.2f}% (“' in sentence
  assert '2.00% to 14.00% that chance alone gives at this test' in sentence
  folds = results['sizes'][0]['folds']
  counts = [n for fold in folds for n in fold['cluster_n_test']]
  assert f'{min(counts):.0f}–{max(counts):.0f} test images' in sentence


def test_above_chance_names_the_worst_and_the_best_cluster():
  results = judged(0.3, [0.02, 0.14])
  metric = [0.9, 0.42, 0.95, 0.7]
  results['sizes'][0]['cluster_metric_mean'] = metric
  assert (
      'lowest in cluster 1 (42.0%' in wording.largest(results)
      and 'highest in cluster 2 (95.0%' in wording.largest(results)
  )


def test_the_largest_size_gives_the_verdict_in_any_order():
  results = example(sizes=(2928, 100, 300))
  assert 'largest size, n\u00a0=\u00a02,928,' in wording.largest(results)
  sizes = [row[0] for row in tables.figure4_cv(results).rows]
  assert sizes == [100, 300, 2928]


def test_small_test_sets_alone_exceed_5_percent():
  results = example(sizes=(100, 300, 1464, 2928))
  title, text = wording.small_tests(results)
  assert title == 'Small test sets alone give a CV above 5%.'
  for size in results['sizes']:
    assert (
        f'{100 * size["cv_expected"]:.1f}% at {values.of_size(size["n"])}'
        in text
    )
  high = [s for s in results['sizes'] if s['cv_expected'] > 0.05]
  assert 0 < len(high) < 4
  warned = text.split('on average.')[1]
  for size in results['sizes']:
    assert (values.of_size(size['n']) in warned) == (size in high)
  for size in results['sizes']:
    size['cv_expected'] = 0.03
  assert wording.small_tests(results)[0] != title
  for size in results['sizes']:
    size['cv_expected'] = None
  assert wording.small_tests(results) is None


@pytest.mark.parametrize(
    'cvs, expected, said',
    [
        ((0.2, 0.1), (0.2, 0.05), 'explain the whole fall'),
        ((0.2, 0.1), (0.1, 0.05), 'explain about 50% of the fall'),
        ((0.2, 0.1), (0.05, 0.05), 'none of the fall'),
        ((0.1, 0.1), (0.2, 0.05), 'did not make the clusters more alike'),
    ],
)
def test_the_trend_is_held_against_that_of_chance(cvs, expected, said):
  results = example(sizes=(100, 300))
  for size, cv, chance in zip(results['sizes'], cvs, expected):
    size |= {'mean_of_cvs': cv, 'cv_expected': chance}
  (sentence,) = wording.trend(results)
  assert said in sentence


def test_a_model_without_skill_is_called_one():
  results = example(sizes=(100,))
  assert 'no better' not in wording.skill(results)[0]
  results['sizes'][0]['baseline'] = results['sizes'][0]['metric_mean']
  assert 'no better' in wording.skill(results)[0]


def marks(results: dict, config: dict | None = None) -> str:
  notes = deviations.not_in_the_paper(results, config or {})
  return '\n'.join(f'{text} {mark}' for mark, text in notes)


def test_deviations_are_those_of_the_run():
  results = example()
  notes = marks(results, psp.get_config().to_dict())
  assert 'The network is frozen' in notes and 'NRMSE' not in notes
  assert 'The fuzzifier is 2; the paper gives none' in notes
  assert 'Each size holds the smaller ones' in notes
  for absent in ('The network is ResNet18', 'k = 4', 'the paper chose fuzzy'):
    assert absent not in notes
  results['backbone'] |= {'train': 'full', 'name': 'vgg16'}
  results['cluster'] |= {'method': 'kmeans', 'k': 5, 'trainings': 3}
  results['reduction']['n_components'] = 12
  notes = marks(results, psp.get_config().to_dict() | {'nested': False})
  for present in ('The network is VGG16; the paper used ResNet18', 'k = 5',
                  'Clusters are of K-means; the paper chose fuzzy',
                  'is drawn anew', 'trained 3 times per fold, not 10',
                  'not the paper’s 10'):  # pyformat: disable
    assert present in notes
  assert 'fuzzifier' not in notes and 'is frozen' not in notes
  results = example('regression', folds=2)
  assert 'over the range of the targets' in marks(results)
  assert 'There are 2 folds; the paper had 4.' in marks(results)
  given = marks(example(given=True))
  assert 'The features were given' in given and 'frozen' not in given


@pytest.mark.parametrize('task', ['classification', 'regression'])
def test_methods_paragraph_has_the_numbers_of_the_run(task):
  sizes = {'classification': (100, 300, 1464, 2928),
           'regression': (300, 700, 2837, 5674)}[task]  # pyformat: disable
  results = example(task, sizes)
  config = CONFIGS[results['task']].get_config().to_dict()
  paragraph = methods.paragraph(results, config)
  for present in ('Mendez et al. (2019)', '(seed 0)', 'fuzzy K-means'
                  ' (fuzzifier 2), k = 4', '10 trainings per fold',
                  '10 principal components', '4 folds', 'was frozen',
                  'up to 100 epochs with batches of 8'):  # pyformat: disable
    assert present in paragraph
  if results['task'] == 'regression':
    assert '256, 128 and 64 units' in paragraph
    assert 'target 1 to 228' in paragraph
    assert '300, 700, 2,837 and 5,674 images' in paragraph
  else:
    assert '976 discard and 1,952 keep' in paragraph
  results = copy.deepcopy(results)
  results['backbone']['train'] = 'full'
  assert 'was trained in every fold' in methods.paragraph(results, config)
