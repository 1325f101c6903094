"""Studies of some of the candidates."""

import pathlib

import pytest

from heterojax.datasets import restriction
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_ROWS = (
  ('female', 'a=b'),
  ('male', 'a=b'),
  ('female', ''),
  ('', 'x'),
  None,
)


def _cohort() -> Cohort:
  candidates = [
    Candidate(
      str(i),
      f'{i}.png',
      'ill',
      '',
      columns=tuple(zip(('sex', 'site'), row or ())),
    )
    for i, row in enumerate(_ROWS)
  ]
  candidates[2] = candidates[2].left_out('no label')
  root = sources.Files(pathlib.Path('root'))
  return Cohort('made up', root, ('ill', 'well'), tuple(candidates))


def _reasons(where: str) -> list[str]:
  return [c.reason for c in restriction.restrict(_cohort(), where).candidates]


def test_others_are_left_out_with_the_reason() -> None:
  other = "sex is not 'female'"
  # What was left out before keeps its reason; no column is no value.
  assert _reasons('sex=female') == ['', other, 'no label', other, other]
  assert _reasons(' sex = female ') == _reasons('sex=female')


def test_several_conditions_all_hold() -> None:
  assert _reasons('sex=female & site=a=b') == [
    '',
    "sex is not 'female'",
    'no label',
    "sex is not 'female'",
    "sex is not 'female'",
  ]
  # The first condition that fails is the reason.
  assert _reasons('site=a=b&sex=female')[1] == "sex is not 'female'"
  assert _reasons('site=a=b&sex=female')[3] == "site is not 'a=b'"


def test_an_empty_value_is_one() -> None:
  assert [not reason for reason in _reasons('sex=')] == [
    False,
    False,
    False,
    True,
    False,
  ]


@pytest.mark.parametrize('where', ['', '  '])
def test_nothing_said_keeps_all(where: str) -> None:
  assert restriction.restrict(_cohort(), where) == _cohort()


@pytest.mark.parametrize(
  ('where', 'says'),
  [
    ('sex', 'must be COLUMN=VALUE'),
    ('=female', 'must be COLUMN=VALUE'),
    ('sex=female&', 'must be COLUMN=VALUE'),
    ('age=3', "no column 'age' .*: root has sex, site"),
    ('sex=Female', "sex=Female .*: the values are '', female, male"),
  ],
)
def test_mistakes(where: str, says: str) -> None:
  with pytest.raises(UserError, match=says) as caught:
    restriction.restrict(_cohort(), where)
  assert str(caught.value).endswith('.')


def test_either_form_of_unicode_is_one_value() -> None:
  composed, decomposed = 'C\u00f4te', 'Co\u0302te'
  for there, typed in ((composed, decomposed), (decomposed, composed)):
    candidate = Candidate('0', '0', 'ill', '', columns=(('site', there),))
    cohort = Cohort('x', sources.Files(pathlib.Path()), ('ill',), (candidate,))
    assert restriction.restrict(cohort, f'site={typed}').included
