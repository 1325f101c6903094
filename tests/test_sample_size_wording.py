"""What the report says of a sample-size study.

Words are in `snapshots/sample_size_sentences.txt`; here are the numbers in
them, and which sentence stands where.
"""

import dataclasses

import jax
import numpy as np
import pytest
from sample_size_results import example
from sample_size_results import put
from sample_size_results import settings
import snapshots

from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report.terms import INFERRED
from heterojax.report.terms import KERAS
from heterojax.report.terms import OUR_CHOICE
from heterojax.stats import heterogeneity
from heterojax.stats import metrics
from heterojax.studies.sample_size.pages import deviations
from heterojax.studies.sample_size.pages import methods
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages import wording
from heterojax.studies.sample_size.records import Coinciding
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.records import Target
from heterojax.verdict import chance as chance_lib

_VERDICTS = {0.1401: 'above', 0.14: 'inside', 0.02: 'inside', 0.0199: 'below'}
# Of two sizes: CVs, what chance gives, and what the fall is said to be.
_TRENDS = {
  'explained by chance': ((0.2, 0.1), (0.2, 0.05)),
  'explained in part': ((0.2, 0.1), (0.1, 0.05)),
  'not explained': ((0.2, 0.1), (0.05, 0.05)),
  'no fall': ((0.1, 0.1), (0.2, 0.05)),
}


def judged(cv: float, band: Interval | Missing) -> Results:
  """Results of one size with a CV beside what chance gives."""
  results = example(sizes=(400,))
  size = dataclasses.replace(
    results.sizes[0],
    mean_of_cvs=cv,
    cv_band=band,
    cv_expected=0.06,
    band=heterogeneity.band(cv),
  )
  return dataclasses.replace(results, sizes=(size,))


def falling(cvs: tuple[float, float], chance: tuple[float, float]) -> Results:
  """Results of two sizes with these CVs."""
  results = example(sizes=(100, 300))
  for i in range(2):
    results = put(results, f'sizes.{i}.mean_of_cvs', cvs[i])
    results = put(results, f'sizes.{i}.cv_expected', chance[i])
  return results


def kept(results: Results, share: float = 0.25) -> Results:
  """The same results with a part of what was not tested kept apart."""
  return put(results, 'sizes.*.folds.*.n_train', lambda n: n - round(share * n))


def pairs(trainings: int, *clusters: tuple[int, int]) -> tuple[Coinciding, ...]:
  return tuple(Coinciding(pair, trainings) for pair in clusters)


def cut() -> Results:
  """Three sizes in which centroids coincide."""
  results = example(sizes=(100, 300, 700))
  # Chained pairs are one group; a cluster of no image is none of its parts.
  sizes = (0.5, 0.25, 0.25, 0.0)
  for path, value in (
    ('sizes.2.folds.*.coinciding', pairs(6, (2, 3))),
    # Of 10 trainings 5 are not most of them.
    ('sizes.2.folds.0.coinciding', pairs(5, (0, 1))),
    ('sizes.0.folds.1.coinciding', pairs(10, (2, 3))),
    ('sizes.1.folds.0.coinciding', pairs(10, (0, 1), (1, 3))),
    ('sizes.1.folds.0.cluster_size', sizes),
    ('sizes.1.folds.2.coinciding', pairs(10, (0, 3))),
    ('sizes.1.folds.2.cluster_size', sizes),
  ):
    results = put(results, path, value)
  return results


def another() -> Results:
  """A design that differs from the paper's in everything."""
  results = example()
  for path, value in (
    ('backbone.train', 'full'),
    ('backbone.name', 'vgg16'),
    ('cluster.method', 'kmeans'),
    ('cluster.k', 5),
    ('cluster.trainings', 3),
    ('cluster.matching', 'members_and_metric'),
    ('reduction.n_components', 12),
    ('sizes.-1.band_unit', 'patient'),
  ):
    results = put(results, path, value)
  return results


def marks(results: Results, known: bool = True) -> list[tuple[str, str]]:
  return deviations.not_in_the_paper(
    results, settings(results.task) if known else None
  )


def test_the_sentences_are_those_that_were_reviewed() -> None:
  """A change of words shows in the snapshot, and nowhere else."""
  said: dict[str, list[str]] = {}
  for cv, position in _VERDICTS.items():
    said[f'{position}: {cv}'] = [wording.largest(judged(cv, (0.02, 0.14)))]
  said['no band'] = [wording.largest(judged(0.1, Missing('so')))]
  for name, (cvs, chance) in _TRENDS.items():
    said[name] = wording.trend(falling(cvs, chance))
  said['coinciding'] = wording.coinciding(cut())
  gmm = put(cut(), 'cluster.method', 'gmm')
  said['coinciding, no fuzzifier'] = wording.coinciding(gmm)
  results = example()
  for name, own in (
    ('expected above 5%', results),
    ('expected below 5%', put(results, 'sizes.*.cv_expected', 0.03)),
  ):
    said[name] = list(wording.small_tests(own) or ())
  skilled = example(sizes=(100,))
  idle = put(skilled, 'sizes.0.baseline', skilled.sizes[0].metric_mean)
  said['no skill'] = wording.skill(idle)
  said['stability'] = [
    wording.stability(results),
    wording.stability(put(results, 'sizes.*.adjusted_rand', 0.5)),
    wording.stability(put(results, 'sizes.*.adjusted_rand', Missing('one'))),
    wording.stability(cut()),
  ]
  for name, own in (
    ("the paper's design", results),
    ('another design', another()),
    ('regression with validation', kept(example('regression', folds=2))),
    ('given', example(sizes=(100, 300), given=True)),
  ):
    said[f'{name}: deviations'] = [f'{text} {m}' for m, text in marks(own)]
    known = settings(own.task)
    said[f'{name}: settings'] = [
      f'{row}: {text}' for row, text in methods.rows(own, known)
    ]
    said[f'{name}: paragraph'] = [methods.paragraph(own, known)]
  text = [
    line for name, lines in said.items() for line in (f'# {name}', *lines)
  ]
  snapshots.check('sample_size_sentences', '\n'.join(text) + '\n')


@pytest.mark.parametrize('cv', _VERDICTS)
def test_the_verdict_is_against_chance(cv: float) -> None:
  results = judged(cv, (0.02, 0.14))
  (size,) = results.sizes
  assert size.position == _VERDICTS[cv]
  sentence = wording.largest(results)
  # One digit would not tell them from an end of the band.
  assert f'{100 * cv:.2f}%' in sentence and '2.00% to 14.00%' in sentence
  counts = [n for fold in size.folds for n in fold.cluster_n_test]
  assert f'{min(counts):.0f}–{max(counts):.0f} test images' in sentence
  others = {
    wording.largest(judged(cv, band)).split('%')[-1]
    for band in ((0.0, 0.01), (0.01, 0.5), (0.4, 0.5))
  }
  assert len(others) == 3


def test_above_chance_names_the_worst_and_the_best_cluster() -> None:
  results = put(
    judged(0.3, (0.02, 0.14)),
    'sizes.0.cluster_metric_mean',
    Partly((0.9, 0.42, 0.95, 0.7)),
  )
  told = wording.largest(results)
  assert told.index('cluster 1 (42.0%') < told.index('cluster 2 (95.0%')
  assert 'cluster 0' not in told and 'cluster 3' not in told


def test_the_cv_is_over_clusters_that_have_test_images() -> None:
  path = 'sizes.0.folds.*.cluster_n_test'
  results = put(judged(0.3, (0.02, 0.14)), path, (9.0, 9.0, 9.0, 9.0))
  assert ' 4 clusters' in wording.largest(results)
  some = put(results, 'sizes.0.folds.2.cluster_n_test', (9.0, 0.0, 9.0, 0.0))
  assert [f.clusters_with_test for f in some.sizes[0].folds] == [4, 4, 2, 4]
  assert ' 2–4 of 4 clusters' in wording.largest(some)
  alone = put(some, 'sizes.0.folds', lambda folds: folds[2:3])
  assert ' 2 of 4 clusters' in wording.largest(alone)


def test_centroids_that_coincide_are_told_once_for_all_sizes() -> None:
  results = example(sizes=(100, 300, 700))
  assert not wording.coinciding(results)
  few = put(results, 'sizes.2.folds.0.coinciding', pairs(5, (0, 1)))
  assert not wording.coinciding(few)
  results = cut()
  (sentence,) = wording.coinciding(results)
  for size, number in zip(results.sizes, (1, 2, 3), strict=True):
    assert f'{number} of 4 folds at {values.of_size(size.n)}' in sentence
  assert 'clusters 2 and 3 in 4 folds and clusters 0 and 1 in 1' in sentence
  assert sentence.count('cluster 3 in 2 folds') == 1
  assert wording.findings(results).count(sentence) == 1
  assert 'fuzzifier 2 ' in sentence
  (sentence,) = wording.coinciding(put(results, 'cluster.method', 'gmm'))
  assert 'fuzzifier' not in sentence


def test_only_empty_clusters_are_no_parts_of_another() -> None:
  fold = 'sizes.0.folds.0'
  results = example(sizes=(100,))
  results = put(results, f'{fold}.coinciding', pairs(10, (0, 1), (0, 2)))
  results = put(results, f'{fold}.cluster_size', (1.0, 0.0, 0.0, 0.0))
  (sentence,) = wording.coinciding(results)
  assert 'clusters' not in sentence
  assert 'cluster 1 in 1 fold and cluster 2 in 1 fold.' in sentence


def test_a_correlation_that_cannot_be_estimated_is_not_claimed() -> None:
  results = example(sizes=(100, 300, 1464))
  assert wording.correlation(results) in wording.findings(results)
  assert 'Pearson' in methods.paragraph(results, settings())
  results = example(sizes=(100, 300))
  assert isinstance(results.cv_vs_metric.pearson, Missing)
  assert wording.correlation(results) not in wording.findings(results)
  for text in (
    methods.paragraph(results, settings()),
    *wording.findings(results),
  ):
    assert 'orrelation' not in text and 'least-squares' not in text


def test_the_largest_size_gives_the_verdict_in_any_order() -> None:
  results = example(sizes=(2928, 100, 300))
  assert f'{values.of_size(2928)},' in wording.largest(results)
  sizes = [size.n for size in tables.figure4_cv(results).rows]
  assert sizes == [100, 300, 2928]


def test_small_test_sets_alone_exceed_5_percent() -> None:
  results = example(sizes=(100, 300, 1464, 2928))
  title, text = wording.small_tests(results) or ('', '')
  told, warned = text.split('on average.')
  high = [size for size in results.sizes if size.cv_expected > 0.05]
  assert 0 < len(high) < 4
  for size in results.sizes:
    n = values.of_size(size.n)
    assert f'{100 * size.cv_expected:.1f}% at {n}' in told
    assert (n in warned) == (size in high)
  low = put(results, 'sizes.*.cv_expected', 0.03)
  other, text = wording.small_tests(low) or ('', '')
  assert other != title and values.of_size(100) not in text.split('average')[1]
  none = put(results, 'sizes.*.cv_expected', Missing('so'))
  assert wording.small_tests(none) is None


def test_what_the_mix_of_classes_gives_is_not_called_chance_alone() -> None:
  # 98, 50 and 2 % of these are of a class that is right for 80 %, the others
  # for 95 %: their accuracies differ however many there are.
  labels = np.repeat(np.arange(3), 20_000)
  y, right = np.random.default_rng(0).random((2, 60_000))
  y = (y < np.array([0.98, 0.5, 0.02])[labels]).astype(int)
  right = right < np.where(y, 0.8, 0.95)
  terms = metrics.terms('accuracy', np.ones(60_000), right)
  fold = chance_lib.Fold(terms, y, np.full(60_000, ''), labels[np.newaxis])
  null = chance_lib.null([fold], 3, jax.random.key(0), 99)
  rates = np.bincount(y, right) / np.bincount(y)
  means = np.bincount(labels, rates[y]) / 20_000
  expected = chance_lib.estimate(null.cvs).expected
  assert expected == pytest.approx(means.std() / means.mean(), rel=0.02)
  assert expected > 0.05
  results = put(example(), 'sizes.*.cv_expected', float(expected))
  assert results.within_classes
  title, text = wording.small_tests(results) or ('', '')
  told = [wording.largest(results), *wording.trend(results), title, text]
  assert all('alone' not in sentence for sentence in told)
  assert all('mix of classes' in sentence for sentence in told)


def test_the_trend_is_held_against_that_of_chance() -> None:
  told = {}
  for name, (cvs, chance) in _TRENDS.items():
    (sentence,) = wording.trend(falling(cvs, chance))
    for value in (*cvs, *chance):
      assert f'{100 * value:.1f}%' in sentence
    told[name] = sentence.split('. ', 1)[1]
  assert len(set(told.values())) == 4
  # Chance falls by 0.05 of 0.1.
  assert '50%' in told['explained in part']
  assert not wording.trend(example(sizes=(100,)))


def test_a_fall_from_what_chance_gives_is_no_fall() -> None:
  """Of 200 sets in which nothing differed 44 % fell by more than chance."""
  cvs, chance = _TRENDS['explained in part']
  for high, is_chance in ((cvs[0] + 0.01, True), (cvs[0] - 0.01, False)):
    results = put(falling(cvs, chance), 'sizes.0.cv_band', (0.01, high))
    (sentence,) = wording.trend(results)
    assert ('may be chance all the same' in sentence) is is_chance


def test_a_model_without_skill_is_called_one() -> None:
  results = example(sizes=(100,))
  (skilled,) = wording.skill(results)
  metric = results.sizes[0].metric_mean
  (idle,) = wording.skill(put(results, 'sizes.0.baseline', metric))
  assert idle.count('. ') > skilled.count('. ')
  assert not wording.skill(put(results, 'sizes.0.baseline', Missing('so')))


def test_deviations_are_those_of_the_run() -> None:
  notes = dict(map(reversed, marks(example())))
  assert {INFERRED, OUR_CHOICE, KERAS} == set(notes.values())
  own = ' '.join(notes)
  for name in ('ResNet18', 'NRMSE', 'k = 4', 'K-means'):
    assert name not in own
  others = [text for _, text in marks(another()) if text not in notes]
  for present in (
    'VGG16',
    'k = 5',
    'K-means',
    '3 times per fold, not 10',
    'not the paper’s 10',
    'their accuracy',
  ):
    assert sum(present in text for text in others) == 1, present
  # What is not known of the settings is not said.
  unknown = {text for _, text in marks(example(), known=False)}
  (nested,) = set(notes) - unknown
  assert 'size' in nested
  given = ' '.join(text for _, text in marks(example(given=True)))
  assert 'NRMSE' not in given and 'early stopping' not in given.lower()


def test_the_fuzzifier_of_the_laboratory_is_marked_as_inferred() -> None:
  results = example()
  for fuzzifier, mark in ((2.0, INFERRED), (1.5, OUR_CHOICE)):
    own = put(results, 'cluster.fuzzifier', fuzzifier)
    assert mark in [m for m, text in marks(own) if f' {fuzzifier:g};' in text]


@pytest.mark.parametrize('task', ['classification', 'regression'])
def test_methods_paragraph_has_the_numbers_of_the_run(task: str) -> None:
  sizes = {
    'classification': (100, 300, 1464, 2928),
    'regression': (300, 700, 2837, 5674),
  }[task]
  results = example(task, sizes)
  paragraph = methods.paragraph(results, settings(task))
  for present in (
    '(seed 0)',
    '(fuzzifier 2), k = 4',
    '10 trainings per fold',
    '10 principal components',
    '4 folds',
    'up to 100 epochs with batches of 8',
  ):
    assert present in paragraph
  if task == 'regression':
    assert '256, 128 and 64 units' in paragraph
    assert 'target 1 to 228' in paragraph
    assert '300, 700, 2,837 and 5,674 images' in paragraph
  else:
    assert '976 discard and 1,952 keep' in paragraph
  trained = methods.paragraph(put(results, 'backbone.train', 'full'), None)
  assert 'frozen' in paragraph and 'frozen' not in trained


def test_a_target_far_from_zero_keeps_the_digits_that_tell_it() -> None:
  target = Target(
    10000016.837242853, 10000090.161946561, 10000060.8632, 13.6003
  )
  results = put(example('regression'), 'dataset.target', target)
  assert methods.data(results).endswith(
    '(target 10000016.84 to 10000090.16, mean 10000060.86, standard deviation'
    ' 13.6)'
  )


def test_a_trained_network_and_its_top_model_have_one_training() -> None:
  own = settings()
  results = put(example(), 'backbone.train', 'full')
  text = (
    'one sigmoid unit, trained together with the network for up to'
    f' {own.fine_tuning.epochs} epochs'
  )
  assert own.fine_tuning.epochs != own.heads.epochs
  paragraph = methods.paragraph(results, own)
  assert text in paragraph and 'AdamW' in paragraph
  assert paragraph.count(' epochs') == 1
  assert dict(methods.rows(results, own))['Top model'].startswith(text)


def test_more_classes_have_more_units() -> None:
  results = put(example(), 'dataset.classes', ('a', 'b', 'c'))
  for text in (
    methods.paragraph(results, settings()),
    methods.paragraph(results, None),
    dict(methods.rows(results, settings()))['Top model'],
  ):
    assert '3 softmax units' in text and 'sigmoid' not in text


def test_the_validation_part_is_told_with_its_numbers() -> None:
  results = kept(example(sizes=(100, 300)))
  size = results.sizes[0]
  numbers = [100 - fold.n_train - fold.n_test for fold in size.folds]
  assert list(size.validation) == numbers
  said = f'({min(numbers)}–{max(numbers)} at {values.of_size(100)} and '
  for text in (
    dict(methods.rows(results, None))['Split'],
    methods.paragraph(results, None),
  ):
    assert said in text and ' 25% of ' in text
  assert results.validated and not results.peeks


def test_without_a_validation_part_early_stopping_looked_at_the_test_set() -> (
  None
):
  results = example(sizes=(100, 300))
  assert results.peeks and not results.validated
  peeking = {text: mark for mark, text in marks(results)}
  keeping = {text: mark for mark, text in marks(kept(results))}
  (text,), (other,) = peeking.keys() - keeping, keeping.keys() - peeking
  assert (peeking[text], keeping[other]) == (INFERRED, OUR_CHOICE)
  split = dict(methods.rows(results, None))['Split']
  assert split != dict(methods.rows(kept(results), None))['Split']


def test_predictions_that_were_given_are_not_called_trained() -> None:
  results = example(sizes=(100, 300), given=True)
  assert results.predictions_given and not results.peeks
  paragraph = methods.paragraph(results, settings())
  assert 'early stopping' not in paragraph and 'epochs' not in paragraph
  row = dict(methods.rows(results, settings()))['Top model']
  # Heads that were trained on given features are told as any others.
  trained = kept(put(results, 'predictions', 'trained'))
  assert not trained.predictions_given
  assert 'epochs' in methods.paragraph(trained, settings())
  assert dict(methods.rows(trained, settings()))['Top model'] != row
  assert len(marks(trained)) > len(marks(results))


def test_what_was_exchanged_for_the_band_of_chance() -> None:
  results = example(sizes=(100,))
  text = methods.paragraph(results, None)
  assert 'test images of each class and fold over clusters' in text
  assert '999 at' in text and 'patient or group together' not in text
  grouped = put(results, 'sizes.0.band_unit', 'patient')
  text = methods.paragraph(put(grouped, 'sizes.0.band_stays', 2), None)
  assert 'that has as many of each class, over' in text
  assert '2 patients there, for want of another like it' in text
  regression = put(
    example('regression', sizes=(100,)), 'sizes.0.band_unit', 'patient'
  )
  text = methods.paragraph(regression, None)
  assert 'test images of each fold, those' in text and 'each class' not in text
  # Of an earlier release, whose band exchanged images of all classes.
  earlier = put(results, 'sizes.0.band_draws', None)
  text = methods.paragraph(earlier, None)
  assert 'permuting the test images of each fold over' in text
  assert 'p = (1 + b)' not in text and not earlier.within_classes


def test_classes_that_are_named_by_numbers() -> None:
  results = example(sizes=(100, 300), labels=('1', '0'))
  assert '100 of class 1 and 200 of class 0' in methods.data(results)


def test_one_size_holds_no_smaller_one() -> None:
  own = settings()
  for results, holds in ((example(sizes=(100,)), False), (example(), True)):
    notes = ' '.join(text for _, text in marks(results))
    paragraph = methods.paragraph(results, own)
    for text in (paragraph, dict(methods.rows(results, own))['Sizes'], notes):
      assert ('the smaller ones' in text) == holds


def test_no_p_value_is_defined_where_nothing_was_permuted() -> None:
  for draws, told in ((0, False), (999, True)):
    results = put(example(), 'sizes.*.band_draws', draws)
    assert ('b gave a CV' in methods.paragraph(results, settings())) == told


def test_folds_are_of_whole_patients_under_both_protocols() -> None:
  results = put(example(), 'protocol', 'published')
  paragraph = methods.paragraph(results, settings())
  assert 'no known patient or group was in two folds' in paragraph


def test_a_penalty_that_was_used_is_told() -> None:
  own = settings()
  said = '(learning rate 0.001; 0.25 times the squared kernel in the loss)'
  for l2, told in ((0.25, True), (0.0, False)):
    heads = dataclasses.replace(own.heads, l2=l2, learning_rate=0.001)
    used = dataclasses.replace(own, heads=heads)
    assert (said in methods.paragraph(example(), used)) == told
