"""What the report says of a sample-size study."""

import copy

import pytest
from sample_size_results import CONFIGS
from sample_size_results import example

from heterojax.configs import psp
from heterojax.stats import heterogeneity
from heterojax.studies.sample_size.pages import deviations
from heterojax.studies.sample_size.pages import methods
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages import wording


def judged(cv: float | None, band: list[float] | None, expected=0.06) -> dict:
  """Results of one size with a CV beside what chance gives."""
  results = example(sizes=(400,))
  results['sizes'][0] |= {
    'mean_of_cvs': cv,
    'cv_band': band,
    'cv_expected': expected,
    'band': heterogeneity.band(cv),
  }
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
  assert 'lowest in cluster 1 (42.0%' in wording.largest(
    results
  ) and 'highest in cluster 2 (95.0%' in wording.largest(results)


def test_the_cv_is_over_clusters_that_have_test_images():
  results = judged(0.3, [0.02, 0.14])
  folds = results['sizes'][0]['folds']
  for fold in folds:
    fold['cluster_n_test'] = [9, 9, 9, 9]
  assert 'the CV of the accuracy over 4 clusters is' in wording.largest(results)
  folds[2]['cluster_n_test'] = [9, 0, 9, 0]
  assert (
    'over the 2–4 of 4 clusters that have test images in a fold is'
    in wording.largest(results)
  )
  del folds[3], folds[:2]
  assert 'over the 2 of 4 clusters that have test images is' in wording.largest(
    results
  )


def coinciding(trainings: int, *pairs: tuple[int, int]) -> dict:
  return {
    'coinciding': [{'clusters': [*p], 'trainings': trainings} for p in pairs]
  }


def test_centroids_that_coincide_are_told_once_for_all_sizes():
  results = example(sizes=(100, 300, 700))
  assert not wording.coinciding(results)
  small, middle, large = results['sizes']
  # Of 10 trainings 5 are not most of them.
  large['folds'][0] |= coinciding(5, (0, 1))
  assert not wording.coinciding(results)
  small['folds'][1] |= coinciding(10, (2, 3))
  for fold in large['folds'][1:]:
    fold |= coinciding(6, (2, 3))
  # Chained pairs are one group; a cluster of no image is none of its parts.
  middle['folds'][0] |= coinciding(10, (0, 1), (1, 3))
  middle['folds'][0]['cluster_size'] = [0.5, 0.25, 0.25, 0]
  middle['folds'][2] |= coinciding(10, (0, 3))
  middle['folds'][2]['cluster_size'] = [0.5, 0.25, 0.25, 0]
  (sentence,) = wording.coinciding(results)
  assert sentence.startswith(
    'Centroids coincide in 1 of 4 folds at n\u00a0=\u00a0100, 2 of 4 folds at'
    ' n\u00a0=\u00a0300 and 3 of 4 folds at n\u00a0=\u00a0700. There one'
    ' cluster was cut in parts: clusters 2 and 3 in 4 folds and clusters 0 and'
    ' 1 in 1 fold.'
  )
  assert 'Empty there: cluster 3 in 2 folds.' in sentence
  assert 'With the fuzzifier 2 fewer than 4 centroids' in sentence
  assert wording.findings(results).count(sentence) == 1
  results['cluster']['method'] = 'gmm'
  assert 'fuzzifier' not in wording.coinciding(results)[0]


def test_only_empty_clusters_are_no_parts_of_another():
  results = example(sizes=(100,))
  fold = results['sizes'][0]['folds'][0] | coinciding(10, (0, 1), (0, 2))
  fold['cluster_size'] = [1.0, 0, 0, 0]
  results['sizes'][0]['folds'][0] = fold
  (sentence,) = wording.coinciding(results)
  assert 'cut in parts' not in sentence
  assert 'Empty there: cluster 1 in 1 fold and cluster 2 in 1 fold.' in sentence


def test_a_correlation_that_cannot_be_estimated_is_not_claimed():
  results = example(sizes=(100, 300, 1464))
  assert any('Pearson' in s for s in wording.findings(results))
  config = psp.get_config().to_dict()
  said = 'Pearson and Spearman correlations and least-squares lines relate CV'
  assert said in methods.paragraph(results, config)
  results = example(sizes=(100, 300))
  assert results['cv_vs_metric']['pearson'] is None
  for text in (methods.paragraph(results, config), *wording.findings(results)):
    assert 'orrelation' not in text and 'least-squares' not in text


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
      f'{100 * size["cv_expected"]:.1f}% at {values.of_size(size["n"])}' in text
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
  for present in (
    'The network is VGG16; the paper used ResNet18',
    'k = 5',
    'Clusters are of K-means; the paper chose fuzzy',
    'is drawn anew',
    'trained 3 times per fold, not 10',
    'not the paper’s 10',
  ):
    assert present in notes
  assert 'fuzzifier' not in notes and 'is frozen' not in notes
  results['cluster']['matching'] = 'members_and_metric'
  matched = 'matched by the images that they share and their accuracy'
  assert matched in marks(results)
  assert matched in methods.paragraph(results, psp.get_config().to_dict())
  results = example('regression', folds=2)
  assert 'over the range of the targets' in marks(results)
  assert 'There are 2 folds; the paper had 4.' in marks(results)
  given = marks(example(given=True))
  assert 'The features were given' in given and 'frozen' not in given


@pytest.mark.parametrize('task', ['classification', 'regression'])
def test_methods_paragraph_has_the_numbers_of_the_run(task):
  sizes = {
    'classification': (100, 300, 1464, 2928),
    'regression': (300, 700, 2837, 5674),
  }[task]
  results = example(task, sizes)
  config = CONFIGS[results['task']].get_config().to_dict()
  paragraph = methods.paragraph(results, config)
  for present in (
    'Mendez et al. (2019)',
    '(seed 0)',
    'fuzzy K-means (fuzzifier 2), k = 4',
    '10 trainings per fold',
    '10 principal components',
    '4 folds',
    'was frozen',
    'up to 100 epochs with batches of 8',
  ):
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


def kept(results: dict, share: float = 0.25) -> dict:
  """The same results with a part of what was not tested kept apart."""
  for size in results['sizes']:
    for fold in size['folds']:
      fold['n_train'] -= round(share * fold['n_train'])
  return results


def test_the_validation_part_is_told_with_its_numbers():
  results = kept(example(sizes=(100, 300)))
  folds = results['sizes'][0]['folds']
  numbers = [100 - f['n_train'] - f['n_test'] for f in folds]
  assert values.validation(results['sizes'][0]) == numbers
  low, high = min(numbers), max(numbers)
  said = (
    'A validation part of each fold, 25% of the images that were not tested'
    f' ({low}–{high} at n\u00a0=\u00a0100 and '
  )
  settings = dict(methods.settings(results, {}))
  for text in (settings['Split'], methods.paragraph(results, {})):
    assert said in text
  assert 'A validation part is kept' in marks(results)
  assert not methods.peeks(results)


def test_without_a_validation_part_early_stopping_looked_at_the_test_set():
  results = example(sizes=(100, 300))
  settings = dict(methods.settings(results, {}))
  for text in (settings['Split'], methods.paragraph(results, {})):
    assert 'no validation part: early stopping looked at the test' in text
  assert methods.peeks(results)
  notes = marks(results)
  assert 'Early stopping looks at the test set' in notes
  assert 'A validation part is kept' not in notes


def test_predictions_that_were_given_are_not_called_trained():
  results = example(sizes=(100, 300), given=True)
  config = psp.get_config().to_dict()
  assert methods.predictions_given(results) and not methods.peeks(results)
  paragraph = methods.paragraph(results, config)
  assert 'Predictions were given with the features.' in paragraph
  assert 'early stopping' not in paragraph and 'top model was' not in paragraph
  assert 'Early stopping' not in marks(results)
  settings = dict(methods.settings(results, config))
  assert settings['Top model'] == 'none: predictions were given'
  # Heads that were trained on given features are told as any others.
  results['timings']['heads'] = {
    'seconds': 1.0,
    'heads': 2,
    'heads_per_second': 2.0,
  }
  paragraph = methods.paragraph(kept(results), config)
  assert 'The top model was one sigmoid unit, trained for up to' in paragraph
  assert 'Predictions were given' not in paragraph
  assert 'A validation part is kept' in marks(results)


def test_what_was_exchanged_for_the_band_of_chance():
  results = example(sizes=(100,))
  paragraph = methods.paragraph(results, {})
  assert 'after permuting the test images over' in paragraph
  results['sizes'][0]['band_unit'] = 'group'
  paragraph = methods.paragraph(results, {})
  assert 'those of a patient or group together with' in paragraph


def test_classes_that_are_named_by_numbers():
  results = example(sizes=(100, 300), labels=('1', '0'))
  assert '100 of class 1 and 200 of class 0' in methods.data(results)
