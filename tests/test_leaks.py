"""What the test set shares with training, counted by hand."""

import pathlib

import dataclasses

from heterojax.datasets import leaks
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort

# Split, label, path, digest, group.
_ROWS = (
    ('train', 'ill', 'a', '1', 'p1'),
    ('train', 'ill', 'b', '2', 'p2'),
    ('train', 'well', 'c', '3', 'p3'),
    ('validation', 'well', 'd', '4', 'p4'),
    ('test', 'ill', 'a', '1', 'p1'),  # The same file as in training.
    ('test', 'ill', 'a2', '1', 'p9'),  # A copy of it, of another patient.
    ('test', 'ill', 'e', '5', 'p2'),  # Another image of that patient.
    ('test', 'ill', 'f', '6', 'p6'),
    ('test', 'well', 'd', '4', 'p4'),  # Validation is training, too.
    ('test', 'well', 'b2', '2', 'p7'),  # Seen under the other label.
    ('test', 'well', 'g', '7', 'p8'),
    ('test', 'well', 'g', '7', 'p8'),  # Twice in the test set: no leak.
)


def _cohort(rows: tuple[tuple[str, ...], ...]) -> Cohort:
  candidates = tuple(
      Candidate(
          str(i), path, label, group, split, columns=(('sha256', digest),)
      )
      for i, (split, label, path, digest, group) in enumerate(rows)
  )
  return Cohort('made up', pathlib.Path(), 'ill', 'well', candidates)


def test_counts_by_kind_and_class() -> None:
  assert leaks.audit(_cohort(_ROWS)) == {
      'same_path': {'ill': 1, 'well': 1},
      'identical_file': {'ill': 2, 'well': 2},
      'shared_group': {'ill': 2, 'well': 1},
  }


def test_candidates_left_out_do_not_leak() -> None:
  cohort = _cohort(_ROWS)
  cohort = cohort.replaced({
      c.id: c.left_out('not drawn')
      for c in cohort.candidates
      if c.split != 'test'
  })
  assert leaks.audit(cohort) == {
      kind: {'ill': 0, 'well': 0}
      for kind in ('same_path', 'identical_file', 'shared_group')
  }


def test_unknown_groups_are_no_zero() -> None:
  cohort = _cohort(_ROWS)
  first = next(c for c in cohort.included)
  cohort = cohort.replaced({first.id: dataclasses.replace(first, group='')})
  found = leaks.audit(cohort)
  assert found['shared_group'] is None
  n = len(cohort.included)
  assert found['shared_group_why'] == (
      f'1 of {n} images name no patient or group'
  )


def test_candidates_left_out_need_no_digest() -> None:
  cohort = _cohort(_ROWS)
  bare = Candidate('x', 'x', 'ill', 'x').left_out('file not found')
  cohort = Cohort(
      'x', cohort.root, 'ill', 'well', (*cohort.candidates, bare)
  )
  assert leaks.audit(cohort)['identical_file'] == {'ill': 2, 'well': 2}
