"""Conditions of --fail_if: comparisons and nothing that runs."""

import contextlib
from typing import Any

import hypothesis
from hypothesis import strategies as st
import pytest

from heterojax.errors import UserError
from heterojax.records import conditions

_RESULTS = {
  'study': 'retraining',
  'overall': {'accuracy': 0.9, 'auc': None, 'n': 200},
  'clusters': [
    {'size': 40, 'random': {'runs': [{'accuracy': 0.5}]}},
    {'size': 7},
  ],
  'leaks': {'same_path': {'normal fundus': 3}},
  'zero': 0,
}


def _holds(text: str, results: dict[str, Any] | None = None) -> bool:
  return conditions.holds(conditions.parse(text), results or _RESULTS, text)


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('overall.accuracy < 0.91', True),
    ('overall.accuracy < 0.9', False),
    ('overall.accuracy <= 0.9', True),
    ('overall.accuracy > 0.9', False),
    ('overall.accuracy >= 0.9', True),
    ('overall.accuracy == 0.9', True),
    ('overall.accuracy != 0.9', False),
    ('0.5 < overall.accuracy < 0.95', True),
    ('0.5 < overall.accuracy < 0.8', False),
    ('1 < overall.accuracy < 2', False),
    ('clusters[0].size == 40', True),
    ('clusters[1].size < 10', True),
    ('clusters[-1].size == 7', True),
    ('clusters[0].random.runs[0].accuracy == 0.5', True),
    ("leaks.same_path['normal fundus'] > 0", True),
    ("overall['accuracy'] > 0.5", True),
    ("study == 'retraining'", True),
    ('overall.accuracy < 0.5 or clusters[1].size < 10', True),
    ('overall.accuracy < 0.5 and clusters[1].size < 10', False),
    ('not overall.accuracy < 0.5', True),
    ('not (overall.accuracy > 0.5 and overall.n == 200)', False),
    ('1 > 2 and 1 > 2 or 2 > 1', True),
    ('overall.accuracy - 0.1 < clusters[0].size / 50', False),
    ('overall.n * 2 + 1 == 401', True),
    ('-overall.n == -200', True),
    ('overall.auc == None', True),
    ('overall.accuracy == None', False),
    ('  overall.accuracy > 0.5\n', True),
  ],
)
def test_conditions(text: str, expected: bool) -> None:
  assert _holds(text) is expected


@pytest.mark.parametrize(
  ('text', 'expected'),
  [
    ('overall.auc != None and overall.auc < 0.5', False),
    ('overall.auc == None or overall.auc < 0.5', True),
    ('zero != 0 and overall.n / zero > 1', False),
  ],
)
def test_the_second_half_is_not_asked_where_the_first_decides(
  text: str, expected: bool
) -> None:
  assert _holds(text) is expected


@pytest.mark.parametrize(
  'text',
  [
    'overall.auc < 0.5',
    'overall.auc + 1 > 0',
    'overall.f1 < 0.5',
    'cv > 0.05',
    'clusters[9].size < 5',
    'clusters.size < 5',
    'overall[0] < 5',
    'overall.accuracy.x < 5',
    "overall.accuracy < 'high'",
    'overall < 5',
    'overall.n / zero > 1',
    "'a' * 1000000000000 == 1",
    '+'.join('1' * 900) + ' > 0',
  ],
)
def test_what_the_results_do_not_hold_is_one_sentence(text: str) -> None:
  with pytest.raises(UserError) as caught:
    _holds(text)
  assert str(caught.value).startswith('--fail_if=')
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'text',
  [
    '',
    ' ',
    'overall.accuracy <',
    'overall.accuracy < 0.9;',
    'overall.accuracy = 0.9',
    'overall.accuracy < 0.9\nimport os',
    "__import__('os').system('true')",
    'overall.__class__.__bases__()',
    'open("x") > 0',
    'len(clusters) > 2',
    'lambda: 1',
    '(lambda: 1)() == 1',
    '[c for c in clusters] == 1',
    '{1: 2} == 1',
    '[1] == 1',
    '(1, 2) == 1',
    '(x := 1) == 1',
    'x if y else z',
    'f"{overall}" == 1',
    'clusters[0:1] == 1',
    '*clusters',
    'await x',
    'yield x',
    '~1 == 1',
    '+1 == 1',
    'a\0b',
    '(' * 300 + '1' + ')' * 300,
    '-' * 9000 + '1 > 0',
    'not ' * 9000 + '1',
    '1' + '+1' * 9000 + ' > 0',
    '1' * 5000 + ' > 0',
  ],
)
def test_anything_else_is_refused_before_a_study_runs(text: str) -> None:
  with pytest.raises(UserError) as caught:
    conditions.parse(text)
  assert str(caught.value).startswith('--fail_if=')


@pytest.mark.parametrize(
  'text',
  [
    'overall.n ** 2 > 1',
    '9 ** 9 ** 9 ** 9 > 1',
    'overall.n % 2 == 1',
    'overall.n // 2 == 1',
    '1 << 99999999999 > 1',
    'overall.n & 1 == 1',
    'study @ study == 1',
    "'a' in study",
    "'a' not in study",
    'overall.auc is None',
    'overall.auc is not None',
  ],
)
def test_operators_that_are_not_offered_are_refused_as_early(text: str) -> None:
  with pytest.raises(UserError, match='is not allowed'):
    conditions.parse(text)


def test_attributes_are_keys_and_never_pythons() -> None:
  for name in ('__class__', 'keys', '__init__', 'items'):
    with pytest.raises(UserError, match='KeyError'):
      _holds(f'overall.{name} == 1')


@pytest.mark.parametrize(
  ('text', 'why'),
  [
    ('cv > 0.05', "no field 'cv'"),
    ('overall.f1 < 0.5', "overall has no field 'f1'"),
    ('overall.keys < 5', "overall has no field 'keys'"),
    ('clusters[9].size < 5', 'clusters has 2 entries'),
    ('clusters[-3].size < 5', 'clusters has 2 entries'),
    ('clusters.size < 5', 'clusters is a list'),
    ('overall[0] < 5', 'overall has no field'),
    ('overall.accuracy.x < 5', 'overall.accuracy has no fields'),
    ('overall.auc.x < 5', 'overall.auc is null'),
    ('overall < 5', 'overall < 5 is not of numbers'),
    ("overall.accuracy < 'high'", 'is not of numbers'),
    ('0 > overall.n > overall', 'overall.n > overall is not of numbers'),
    ('-overall > 5', '-overall is not of numbers'),
    ('overall + 1 > 5', r'overall \+ 1 is not of numbers'),
    # Also what would not be asked for.
    ('1 > 2 and overall.f1 > 5', "overall has no field 'f1'"),
    ('1 < 2 or not overall.f1 > 5', "overall has no field 'f1'"),
    ("'a' * 1000000000000 == 1", 'is not of numbers'),
    ('(' * 300 + '1' + ')' * 300, 'not a condition'),
  ],
)
def test_names_are_checked_before_there_are_results(
  text: str, why: str
) -> None:
  with pytest.raises(UserError, match=why) as caught:
    conditions.check(text, _RESULTS)
  assert str(caught.value).startswith('--fail_if=')
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'text',
  [
    None,
    'overall.accuracy < 0.5 and clusters[-1].size < 5',
    'overall.n / zero > 1',  # Depends on the values.
    "leaks.same_path['normal fundus'] > 0",
    "study == 'retraining'",
    'not -overall.n > 2',
    'overall.auc == None',
  ],
)
def test_names_that_there_will_be(text: str | None) -> None:
  conditions.check(text, _RESULTS)


_ATOMS = st.sampled_from([
  'overall',
  'clusters',
  '.accuracy',
  '[0]',
  '.size',
  '<',
  '==',
  ' and ',
  ' or ',
  ' not ',
  '(',
  ')',
  '1',
  '0.5',
  '-',
  '*',
  '/',
  'None',
  "'a'",
  'zero',
  '__import__',
  'lambda',
  ':',
  ',',
  '**',
  ' in ',
  '\n',
  '[',
  ']',
  '\0',
  '𝒳',
])


@hypothesis.given(st.lists(_ATOMS, max_size=9).map(''.join))
@hypothesis.settings(deadline=None, max_examples=400)
@pytest.mark.filterwarnings('ignore::SyntaxWarning')
def test_any_text_is_answered_or_refused(text: str) -> None:
  with contextlib.suppress(UserError):
    assert _holds(text) in (True, False)


@pytest.mark.parametrize(
  'text', ["'a' * 2000000000 == 'b'", 'clusters * 2000000000 == 0']
)
def test_nothing_is_repeated(text: str) -> None:
  with pytest.raises(UserError, match='cannot be calculated with'):
    _holds(text)


def test_long_conditions_are_refused() -> None:
  with pytest.raises(UserError, match='longer than 10,000'):
    conditions.parse('*'.join(['9' * 4000] * 2000) + ' < 1')
