"""The answer of a study: its branches by values, its sentences by snapshot."""

import dataclasses
from typing import Any

import answers
from answers import FACTS
from answers import QUIET
from answers import measured
from answers import question
import jax
import numpy as np
import pytest
import snapshots

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report.formatting import p_equals
from heterojax.stats import scores
from heterojax.studies.answer import answer
from heterojax.studies.answer import conditions
from heterojax.studies.answer import facts as facts_lib
from heterojax.studies.answer import measured as measured_lib
from heterojax.studies.answer import sentences
from heterojax.studies.answer import stage
from heterojax.studies.answer import terminal
from heterojax.studies.answer import unmeasured
from heterojax.studies.answer.facts import Baseline
from heterojax.studies.answer.facts import Facts
from heterojax.studies.answer.records import ANSWERS
from heterojax.studies.answer.records import Condition
from heterojax.studies.answer.records import Detectable
from heterojax.studies.answer.records import Measured
from heterojax.studies.answer.records import Rule
from heterojax.studies.answer.records import Verdict
from heterojax.studies.records import Shortcut
from heterojax.verdict import uneven

NONE = Missing('it has 2 test images of a class, and 3 are needed')
FOUND = question(0.005, (0.12, 0.01, 0.0), (0.005, 0.7, 1.0), adjusted=0.015)
WEAK = Detectable(0.3, Missing('no share would be found'), 0.55)
HARDER = question(
  0.001, (0.1, 0.02, 0.01), (0.004, 0.5, 0.6), given=0.34, draws=9999
)
LESS = question(0.005, (0.1, 0.02, 0.01), (0.01, 0.5, 0.6), given=0.01)
GAPS = (
  answers.gap(0.01, 0.02, 0.05, 0.2),
  answers.gap(0.01, 0.38, 0.05, -0.02),
  answers.gap(0.0, 0.0, 0.01, 0.0),
)
UNLEARNED = answers.scored(17, 15)
ONE_CLASS = answers.scored(16, 0, positives=1.0)  # Has no AUC.
NUMBERS = scores.regression_score(np.arange(9.0), np.arange(9.0) + 0.5)
REGRESSION = FACTS._replace(
  score=NUMBERS,
  baseline=Baseline(0.6, (0.8, 0.9)),
  classes=(),
  test_counts=(),
  train_counts=(),
  own=(),
)

# Title to what is measured, the facts, the answer and the clusters.
CASES: dict[str, tuple[Measured | Missing, Facts, str, tuple[int, ...]]] = {
  'no sign': (QUIET, FACTS, 'no sign', ()),
  'small, but not for three questions': (
    measured(one_rule=question(0.03, adjusted=0.09)),
    FACTS,
    'no sign',
    (),
  ),
  'another rule in one cluster': (
    measured(one_rule=FOUND, decomposition=GAPS),
    FACTS._replace(folds=4),
    'yes',
    (0,),
  ),
  'in one cluster, by a little': (
    measured(one_rule=question(0.01, (0.02, 0.01, 0.0), (0.01, 0.8, 0.9))),
    FACTS,
    'yes',
    (0,),
  ),
  'in two': (
    measured(one_rule=question(0.01, (0.12, 0.02, 0.2), (0.01, 0.8, 0.005))),
    FACTS,
    'yes',
    (0, 2),
  ),
  'in some': (
    measured(one_rule=question(0.02, (0.05, 0.06, 0.04), (0.1, 0.08, 0.2))),
    FACTS,
    'yes',
    (),
  ),
  'in one that has not learned its own cluster': (
    measured(one_rule=FOUND),
    FACTS._replace(own=(UNLEARNED, *FACTS.own[1:])),
    'no sign',
    (),
  ),
  'in one whose test images are of one class': (
    measured(one_rule=FOUND, decomposition=GAPS),
    FACTS._replace(own=(ONE_CLASS, *FACTS.own[1:])),
    'yes',
    (0,),
  ),
  'where no head has learned its own cluster': (
    measured(one_rule=FOUND),
    FACTS._replace(own=(UNLEARNED,) * 3),
    'no sign',
    (),
  ),
  'harder, and one rule gives as much': (
    measured(uneven=HARDER, decomposition=GAPS),
    FACTS,
    'no sign',
    (),
  ),
  'teaches less, and one rule gives less': (
    measured(teaches_less=LESS),
    FACTS,
    'no sign',
    (),
  ),
  'teaches less, as its head has learned nothing': (
    measured(teaches_less=LESS),
    FACTS._replace(own=(UNLEARNED, *FACTS.own[1:])),
    'no sign',
    (),
  ),
  'two teach less, and the head of one has learned nothing': (
    measured(teaches_less=question(0.005, (0.1, 0.1, 0.01), (0.01, 0.01, 0.6))),
    FACTS._replace(own=(UNLEARNED, *FACTS.own[1:])),
    'no sign',
    (),
  ),
  'one cluster is not estimable': (
    measured(
      one_rule=question(0.38, (0.01, 0.02, NONE), (0.9, 0.8, NONE)),
      tested=answers.tested(20, 16, 2),
    ),
    FACTS,
    'no sign',
    (),
  ),
  'a hint in one cluster': (
    measured(one_rule=question(0.24, (0.01, 0.02, 0.09), (0.63, 0.63, 0.02))),
    FACTS,
    'no sign',
    (),
  ),
  'one cluster has one image of a class': (
    measured(
      one_rule=question(0.38, (0.01, 0.02, NONE), (0.9, 0.8, NONE)),
      tested=answers.tested(20, 16, 1),
    ),
    FACTS,
    'no sign',
    (),
  ),
  'known groups': (
    measured(one_rule=question(0.38)),
    FACTS._replace(groups='Clusters are groups by site: 0 is a and 1 is b.'),
    'no sign',
    (),
  ),
  'another rule in a known group': (
    measured(one_rule=FOUND),
    FACTS._replace(groups='Clusters are groups by site: 0 is a and 1 is b.'),
    'yes',
    (0,),
  ),
  'no power': (
    measured(detectable=(WEAK, dataclasses.replace(WEAK, power_reversed=0.7))),
    FACTS,
    'too little data',
    (),
  ),
  'too few worlds': (
    measured(
      detectable=(Detectable(0.3, *[Missing('19 worlds are too few')] * 2),) * 3
    ),
    FACTS,
    'cannot be answered',
    (),
  ),
  'too few of a class': (
    measured(
      one_rule=question(NONE, (NONE,) * 3, (NONE,) * 3),
      tested=answers.tested(2, 0, 1),
    ),
    FACTS._replace(jaccard=(0.9, 0.7, None)),
    'too little data',
    (),
  ),
  'worlds that do not match': (
    measured(
      one_rule=question(Missing('such worlds are no measure of these data')),
      rule=Rule(0.01, 11.0, 0.94, 0.88),
    ),
    FACTS,
    'cannot be answered',
    (),
  ),
  'nothing learned': (
    QUIET,
    FACTS._replace(score=answers.scored(50, 54)),
    'cannot be answered',
    (),
  ),
  'nothing learned by a head of all, as rules contradict each other': (
    measured(one_rule=FOUND),
    FACTS._replace(score=answers.scored(50, 54)),
    'yes',
    (0,),
  ),
  'nothing learned by a head of all, nor by that of the cluster': (
    measured(one_rule=FOUND),
    FACTS._replace(
      score=answers.scored(50, 54), own=(UNLEARNED, *FACTS.own[1:])
    ),
    'cannot be answered',
    (),
  ),
  'one answer for all, and a ranking': (
    measured(one_rule=FOUND),
    FACTS._replace(score=answers.ranking(500, 10, auc=0.9, answers=False)),
    'cannot be answered',
    (),
  ),
  'one answer for all': (
    QUIET,
    FACTS._replace(score=answers.ranking(40, 18, auc=0.55, answers=True)),
    'cannot be answered',
    (),
  ),
  'published protocol': (
    Missing(stage.PUBLISHED),
    FACTS._replace(protocol='published'),
    'cannot be answered',
    (),
  ),
  'regression': (
    measured(one_rule=question(Missing(unmeasured.REGRESSION))),
    REGRESSION,
    'cannot be answered',
    (),
  ),
  'regression without skill': (
    QUIET,
    REGRESSION._replace(baseline=Baseline(0.93, (-0.5, 0.6))),
    'cannot be answered',
    (),
  ),
  'not measured': (Missing('not measured'), FACTS, 'cannot be answered', ()),
}


def verdict(title: str) -> Verdict:
  return answer.verdict(*CASES[title][:2])


@pytest.mark.parametrize('title', CASES)
def test_the_answer_of_each_case(title: str) -> None:
  found, (_, facts, expected, clusters) = verdict(title), CASES[title]
  assert (found.answer, found.clusters) == (expected, clusters)
  assert found.answer in ANSWERS
  # As a file holds it.
  assert codec.decode(Verdict, codec.encode(found)) == found
  text = ' '.join((found.sentence, *found.statements, *found.next)).lower()
  for never in ('homogen', 'no effect', 'sub-population', 'subtype', 'nan'):
    assert never not in text
  if expected != 'yes':
    assert 'another rule holds in cluster' not in text
  assert len(found.decomposition) == facts.k


def test_what_it_says() -> None:
  lines = []
  for title in CASES:
    found = verdict(title)
    lines += [f'=== {title}: {found.answer}', found.sentence]
    lines += [f'- {text}' for text in found.statements]
    lines += [f'> {text}' for text in found.next]
  snapshots.check('answers', '\n'.join(lines) + '\n')


def test_skill_is_asked_for_before_anything_else() -> None:
  """Shuffled labels: 1,000 heads that guess are all turned away."""
  stream = np.random.default_rng(0)
  passed = 0
  for _ in range(1000):
    y = stream.random(100) < 0.5
    score = scores.score(y, stream.random(100))
    found = answer.decide(QUIET, FACTS._replace(score=score))
    passed += found.answer != 'cannot be answered'
  assert passed <= 25  # One in forty by chance, at 95 %.


@pytest.mark.parametrize(
  'p, text',
  [
    (0.005, 'p = .005'),
    (0.0496, 'p = .050'),
    (0.05, 'p = .050'),
    (0.0504, 'p > .05'),
    (0.0506, 'p = .051'),
    (0.38, 'p = .38'),
    (0.1, 'p = .10'),
    (0.0001, 'p < .001'),
    (1.0, 'p = 1'),
    (0.998, 'p > .99'),
  ],
)
def test_p_values(p: float, text: str) -> None:
  assert p_equals(p) == text


def of(name: str, **changes: Any) -> Condition:
  found = conditions.conditions(QUIET, FACTS._replace(**changes))
  (one,) = [c for c in found if c.name == name]
  return one


def shared(kind: str, n: int) -> dict[str, Any]:
  return dict(FACTS.leaks) | {kind: Partly({'disease': n, 'normal': 1})}


def strong(value: float, p: float | Missing = 0.05) -> tuple[Any, ...]:
  return (
    Shortcut('site', 'categorical', "Cramer's V", 90, 0.1, value, 0.5, p, 0.5),
  )


@pytest.mark.parametrize(
  'name, changes, state, value',
  [
    (conditions.SKILL, {}, 'pass', None),
    (conditions.SKILL, {'score': answers.scored(50, 54)}, 'fail', None),
    (
      conditions.SKILL,
      {'score': NUMBERS, 'baseline': Baseline(0.9, (0.1, 0.8))},
      'pass',
      0.1,
    ),
    # Better than the mean by chance.
    (
      conditions.SKILL,
      {'score': NUMBERS, 'baseline': Baseline(0.9, (-0.1, 0.8))},
      'fail',
      -0.1,
    ),
    (
      conditions.SKILL,
      {'score': NUMBERS, 'baseline': Baseline(0.9, (-np.inf, np.inf))},
      'fail',
      Missing('too few patients tell'),
    ),
    (conditions.PATIENTS, {}, 'pass', 0),
    (conditions.PATIENTS, {'leaks': shared('shared_group', 3)}, 'fail', 4),
    (conditions.PATIENTS, {'leaks': {}}, 'warn', Missing('not looked for')),
    (conditions.COPIES, {}, 'pass', 0),
    (conditions.COPIES, {'leaks': shared('identical_file', 2)}, 'fail', 3),
    (conditions.COPIES, {'leaks': shared('near_duplicate', 2)}, 'warn', 3),
    (conditions.COPIES, {'leaks': {}}, 'warn', Missing('not looked for')),
    (conditions.NUMBERS, {}, 'pass', 15),
    (conditions.NUMBERS, {'tested': answers.tested(20, 9, 11)}, 'warn', 9),
    (conditions.NUMBERS, {'tested': answers.tested(20, 2, 11)}, 'warn', 2),
    (conditions.NUMBERS, {'tested': answers.tested(2, 2, 0)}, 'fail', 0),
    (conditions.CLASSES, {}, 'pass', 60 / 110),
    (
      conditions.CLASSES,
      {'train_counts': ((8, 2), (5, 5), (0, 0))},
      'warn',
      0.5,
    ),
    (
      conditions.CLASSES,
      {'train_counts': ((8, 2), (1, 9), (0, 5))},
      'fail',
      0.8,
    ),
    (
      conditions.CLASSES,
      {'train_counts': ((2, 8), (1, 9), (0, 5))},
      'warn',
      0.8,
    ),
    (conditions.STABILITY, {}, 'pass', 0.8),
    (conditions.STABILITY, {'jaccard': (0.75, None, 0.8)}, 'pass', 0.75),
    (conditions.STABILITY, {'jaccard': (0.74, 0.7, 0.8)}, 'warn', 0.7),
    (conditions.STABILITY, {'jaccard': (0.59, 0.7, 0.8)}, 'fail', 0.59),
    (conditions.COLUMNS, {'shortcuts': strong(0.49)}, 'pass', 0),
    (conditions.COLUMNS, {'shortcuts': strong(0.5)}, 'warn', 1),
    # Few patients have as much by chance; without a p-value nobody knows.
    (conditions.COLUMNS, {'shortcuts': strong(0.9, 0.051)}, 'pass', 0),
    (conditions.COLUMNS, {'shortcuts': strong(0.9, Missing('x'))}, 'warn', 1),
    (conditions.CHANCE, {}, 'warn', 0.38),
  ],
)
def test_conditions(
  name: str, changes: dict[str, Any], state: str, value: Any
) -> None:
  found = of(name, **changes)
  assert found.state == state
  if value is not None:
    expected = (
      value if isinstance(value, Missing) else pytest.approx(value, abs=1e-4)
    )
    assert found.value == expected
  assert found.sentence.endswith('.')


def test_suspected_patients_are_the_first_thing_said() -> None:
  found = of(conditions.PATIENTS, leaks={}, suspicion='Names repeat.')
  assert found.state == 'warn'
  assert found.sentence.startswith('Names repeat. Whether training and test')
  # Where patients are named, names do not matter.
  assert 'Names' not in of(conditions.PATIENTS, suspicion='Names').sentence


def test_chance_is_excluded_by_the_adjusted_p_value() -> None:
  found = verdict('small, but not for three questions').conditions[-1]
  assert (found.name, found.state, found.value) == (
    conditions.CHANCE,
    'warn',
    0.09,
  )
  found = verdict('another rule in one cluster').conditions[-1]
  assert (found.state, found.value) == ('pass', 0.015)


def test_the_mean_stability_over_folds() -> None:
  nan = float('nan')
  found = facts_lib.mean_jaccard([
    np.array([0.5, nan, nan]),
    np.array([1.0, 0.8, nan]),
  ])
  assert found == (0.75, 0.8, None)


def test_the_last_lines_in_a_terminal() -> None:
  tree = {'verdict': codec.encode(verdict('too few of a class'))}
  first, *others = terminal.lines(tree)
  assert first.startswith('Too little data: ')
  assert [line.split(':')[0] for line in others] == [
    f'FAIL {conditions.NUMBERS}',
    f'WARN {conditions.STABILITY}',
    f'WARN {conditions.COLUMNS}',
    f'WARN {conditions.CHANCE}',
  ]
  assert terminal.lines({}) == []


def test_ends_of_an_interval_are_as_exact_as_its_value() -> None:
  none = answers.Term(0.0, (0.0, 0.0))
  small = answers.Term(0.004, (0.0034, 0.0046))
  gap = answers.Gap(0.004, none, none, small, none)
  said = answer.verdict(measured(decomposition=(gap,)), FACTS).statements
  (text,) = [t for t in said if 'four terms' in t]
  assert text.endswith('it covers (0.4 percentage points, 0.3 to 0.5).')


def test_a_term_that_may_be_nothing_can_be_the_largest() -> None:
  none = answers.Term(0.0, (0.0, 0.0))
  sure = answers.Term(0.009, (0.002, 0.016))
  rest = answers.Term(0.031, (-0.014, 0.076))
  gap = answers.Gap(0.04, none, none, sure, rest)
  said = answer.verdict(measured(decomposition=(gap,)), FACTS).statements
  (text,) = [t for t in said if 'refitted head of cluster' in t]
  assert 'four terms' not in text
  assert (
    'the largest of the terms whose interval lies above 0 is how little of the'
    ' data it covers (0.9 percentage points, 0.2 to 1.6)' in text
  )


@pytest.mark.parametrize(
  'other, among',
  [
    (0.066, 'terms whose interval lies above 0'),
    (None, 'terms that are known'),
  ],
)
def test_a_term_is_not_the_largest_where_another_is_or_may_be(
  other: float | None, among: str
) -> None:
  """The larger one may be chance, or unknown where no worlds were made."""
  none = Missing('such worlds are no measure of these data')
  rest = answers.Term(none, none)
  if other is not None:
    rest = answers.Term(other, (-0.02, 0.152))
  small = answers.Term(0.004, (-0.01, 0.018))
  gap = answers.Gap(0.14, answers.Term(0.06, (0.01, 0.11)), small, small, rest)
  said = answer.verdict(measured(decomposition=(gap,)), FACTS).statements
  (text,) = [t for t in said if 'its size' in t]
  assert 'the largest of the four terms' not in text
  assert f'the largest of the {among} is' in text
  assert '(6 percentage points, 1 to 11)' in text


@pytest.mark.parametrize(
  'p, said',
  [
    (0.05, 'None of 19 worlds with one rule for all gives'),
    (0.1, '1 of 19 worlds with one rule for all gives'),
    (0.6, '11 of 19 worlds with one rule for all give'),
    (1.0, '19 of 19 worlds with one rule for all give'),
  ],
)
def test_worlds_are_counted_without_the_data(p: float, said: str) -> None:
  """p = (1 + b) / (1 + B), and it is b that is said."""
  one_rule = question(p, draws=19, adjusted=min(1.0, 3 * p))
  texts = answer.verdict(measured(one_rule=one_rule), FACTS).statements
  assert any(text.startswith(f'{said} as large a gain') for text in texts)


def test_gaps_are_said_to_be_those_of_refitted_heads() -> None:
  """They are not those of the heads that the tables of a study are about."""
  texts = answer.verdict(measured(decomposition=GAPS), FACTS).statements
  gaps = [text for text in texts if 'four terms' in text]
  assert gaps and all(' refitted head ' in text for text in gaps)


def test_known_groups_are_not_told_to_be_clustered_otherwise() -> None:
  """Neither k nor folds would make others of them."""
  for title in ('no sign', 'known groups', 'another rule in a known group'):
    text = ' '.join(verdict(title).next)
    again = '--config.cluster.k' in text or '--config.split.folds' in text
    assert again == (title == 'no sign')


def test_heads_that_fall_short_are_counted() -> None:
  """One more than are named is no plural."""
  for k, said in ((7, '1 more cluster falls'), (8, '2 more clusters fall')):
    found = answers.found_in_first(k)
    gaps = (answers.gap(0.1, 0.2, 0.0, 0.0),) * k
    found = dataclasses.replace(found, decomposition=gaps)
    texts = answer.verdict(found, answers.facts(k)).statements
    assert any(said in text for text in texts)


def test_clusters_of_one_class_are_not_the_classes() -> None:
  """Of a rare disease every cluster is healthy, however it was found."""
  rare = FACTS._replace(train_counts=((3, 90), (5, 70), (2, 80)))
  apart = FACTS._replace(train_counts=((3, 90), (70, 5), (2, 80)))
  for facts, same in ((rare, True), (apart, False)):
    found = answer.verdict(measured(), facts)
    (state,) = (c for c in found.conditions if c.name == conditions.CLASSES)
    assert ('The clusters are the classes' in state.sentence) != same
    assert ('each it is “normal”' in state.sentence) == same
    assert any('that are not the classes' in t for t in found.next) != same


def test_published_splits_claim_no_copies_that_were_not_found() -> None:
  """Nor that something stopped early: of logistic heads nothing does."""
  text = sentences.published() + stage.PUBLISHED
  assert 'may hold' in text and 'may look' in text
  assert 'are in training' not in text and 'looks at' not in text


def test_a_cluster_whose_patients_stay_is_not_said_to_have_few_images() -> None:
  """One patient alone in cluster 0, like no other: no exchange changes it."""
  labels = np.repeat([0, 1, 2], [60, 20, 20])
  groups = np.concatenate([np.zeros(60, int), np.arange(1, 41)])
  wrong = (np.arange(100) % 3 == 0).astype(int)
  test = uneven.test(
    wrong, np.zeros(100, int), labels, 3, key=jax.random.key(0), groups=groups
  )
  assert np.isnan(test.adjusted).tolist() == [True, False, False]
  first = measured_lib.question(test, test.p_value, None).clusters[0]
  assert codec.known(first.effect) is not None
  assert codec.why(first.p_value) == 'no draw changes what the cluster has'
