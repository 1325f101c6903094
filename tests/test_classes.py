"""Labels that are one class."""

import pathlib

import pytest

from heterojax.datasets import classes
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

_PATH = pathlib.Path('DATA')


def _candidates(labels: str) -> list[Candidate]:
  return [
    Candidate(str(i), f'{i}.png', label.strip(), '')
    for i, label in enumerate(labels.split(','))
  ]


def _merged(labels: str, positive: str, negative: str):
  found = classes.merge(_PATH, _candidates(labels), (positive, negative))
  return found.named, [c.label for c in found.candidates], found.notes


def test_grades_are_merged() -> None:
  named, labels, notes = _merged('0,1,2,3,4,2', '2|3|4', '0|1')
  assert named == ('2 or 3 or 4', '0 or 1')
  assert labels == [named[i] for i in (1, 1, 0, 0, 0, 0)]
  assert notes == (
    "The class '2 or 3 or 4' is made of the labels 2 (2), 3 (1), 4 (1).",
    "The class '0 or 1' is made of the labels 0 (1), 1 (1).",
  )


def test_what_a_label_was_is_kept() -> None:
  found = classes.merge(_PATH, _candidates('0,1,2'), ('1|2', '0'))
  assert [dict(c.columns)[classes.LABEL] for c in found.candidates] == [*'012']


def test_the_rest() -> None:
  named, labels, notes = _merged('mel,nv,bcc,', 'mel', 'rest')
  assert named == ('mel', 'rest')
  # What has no label is of no class.
  assert labels == ['mel', 'rest', 'rest', '']
  assert notes == ("The class 'rest' is made of the labels nv (1), bcc (1).",)


def test_a_label_that_is_written_so_is_meant_first() -> None:
  named, labels, notes = _merged('a|b,a,b,rest', 'a|b', 'rest')
  assert named == ('a|b', 'rest') and labels == ['a|b', 'a', 'b', 'rest']
  assert not notes


def test_without_merging_nothing_changes() -> None:
  candidates = _candidates('0,1,2')
  found = classes.merge(_PATH, candidates, ('1', ''))
  assert found.candidates == tuple(candidates) and found.named == ('1', '')


def test_the_other_class_may_be_left_to_the_labels() -> None:
  named, labels, _ = _merged('0,1,2', '1|2', '')
  assert classes.choose(_PATH, labels, named) == ('1 or 2', '0')


@pytest.mark.parametrize(
  ('positive', 'negative', 'message'),
  [
    ('2|5', '0', "no label '5'.*positive=2|5.*0, 1, 2"),
    ('1|2', '0|1', "'1' is in .* give it once"),
    ('1|1', '0', "'1' is in .* twice"),
    ('rest', 'rest', 'can be rest'),
    ('0|1|2', 'rest', 'leaves labels'),
    ('rest', '', 'can be rest'),
  ],
)
def test_mistakes_are_told(positive: str, negative: str, message: str) -> None:
  with pytest.raises(UserError, match=message):
    _merged('0,1,2', positive, negative)
