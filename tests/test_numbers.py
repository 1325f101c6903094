"""Labels that are numbers."""

import math

import hypothesis
from hypothesis import strategies as st
import pytest

from heterojax.datasets import numbers
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

_BARE = Candidate('1', '1.png', 'old', 'p')


@pytest.mark.parametrize(
  ('cell', 'label'),
  [
    ('69', '69'),
    ('69.0', '69'),
    ('6.9e1', '69'),
    ('-3', '-3'),
    ('0.10', '0.1'),
    ('.5', '0.5'),
    ('100.0690689086914',) * 2,
    ('1e14', '1' + 14 * '0'),
  ],
)
def test_a_number_is_written_in_one_way(cell: str, label: str) -> None:
  found = numbers.labelled(_BARE, cell)
  assert found.included and found.label == label
  assert (found.id, found.path, found.group) == ('1', '1.png', 'p')


@hypothesis.given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_is_lost(number: float) -> None:
  label = numbers.labelled(_BARE, repr(number)).label
  assert float(label) == number == numbers.parse(repr(number))


@pytest.mark.parametrize(
  'cell', ['ill', 'nan', 'inf', '-inf', '1e999', '1_0', '٣', '12 months']
)
def test_what_is_no_number_is_left_out(cell: str) -> None:
  assert math.isnan(numbers.parse(cell))
  found = numbers.labelled(_BARE, cell)
  assert not found.included
  assert found.reason == f'label {cell!r} is no number'
  assert found.label == cell


def test_reasons_that_stand_already_stay() -> None:
  assert numbers.labelled(_BARE, '').reason == 'no label'
  gone = _BARE.left_out('no path')
  assert numbers.labelled(gone, '').reason == 'no path'
  assert numbers.labelled(gone, '7.0').label == '7'
  assert not numbers.labelled(gone, '7.0').included


def test_one_number_is_enough_and_none_is_not() -> None:
  words = [numbers.labelled(_BARE, cell) for cell in ('', 'ill')]
  with pytest.raises(UserError, match="no label that is a number, as 'ill'"):
    numbers.require_some('x.csv', words)
  numbers.require_some('x.csv', [*words, numbers.labelled(_BARE, '1')])


@pytest.mark.parametrize('names', [('ill', ''), ('', 'ill'), ('a', 'b')])
def test_classes_of_a_regression_are_refused(names: tuple[str, str]) -> None:
  with pytest.raises(UserError, match='A regression has no classes'):
    numbers.require_no_classes(names)
  numbers.require_no_classes(('', ''))


@pytest.mark.parametrize('cell', ['1e300', '-2e15'])
def test_a_huge_number_is_left_out(cell: str) -> None:
  found = numbers.labelled(_BARE, cell)
  assert (
    not found.included and found.reason == f'label {cell!r} is beyond 1e+15'
  )
  gone = _BARE.left_out('gone')
  assert numbers.labelled(gone, cell).reason == 'gone'
  assert numbers.labelled(_BARE, '1e15').included
