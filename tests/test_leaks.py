"""What the held-out parts share with training, counted by hand."""

from collections.abc import Sequence
import csv
import dataclasses
import hashlib
import io
import pathlib

import numpy as np
import pytest

from heterojax.datasets import leaks
from heterojax.datasets import odir
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly

# Split, label, path, digest of the file, digest of the pixels, group.
_ROWS = (
  ('train', 'ill', 'a', '1', 'A', 'p1'),
  ('train', 'ill', 'b', '2', 'B', 'p2'),
  ('train', 'well', 'c', '3', 'C', 'p3'),
  ('validation', 'well', 'd', '4', 'D', 'p4'),
  ('validation', 'ill', 'c2', '9', 'C', 'p2'),  # The pixels of c, saved anew.
  ('test', 'ill', 'a', '1', 'A', 'p1'),  # The same file as in training.
  ('test', 'ill', 'a2', '1', 'A', 'p9'),  # A copy of it, of another patient.
  ('test', 'ill', 'e', '5', 'E', 'p2'),  # Another image of that patient.
  ('test', 'ill', 'f', '6', 'F', 'p6'),
  ('test', 'well', 'd', '4', 'D', 'p4'),  # Validation is training, too.
  ('test', 'well', 'b2', '2', 'B', 'p7'),  # Seen under the other label.
  ('test', 'well', 'g', '7', 'G', 'p8'),
  ('test', 'well', 'g', '7', 'G', 'p8'),  # Twice in the test set: no leak.
  ('test', 'well', 'h', '8', 'B', 'p5'),  # The pixels of b in another file.
)
_NONE = {'ill': 0, 'well': 0}


def _cohort(
  rows: Sequence[tuple[str, ...]] = _ROWS, *, pixels: bool = True
) -> Cohort:
  candidates = tuple(
    Candidate(
      str(i),
      path,
      label,
      group,
      split,
      columns=(('sha256', file), ('pixels_sha256', shown))[: 1 + pixels],
    )
    for i, (split, label, path, file, shown, group) in enumerate(rows)
  )
  source = sources.Files(pathlib.Path())
  return Cohort('made up', source, ('ill', 'well'), candidates)


def _count(cohort: Cohort) -> dict[str, Partly[dict[str, int]] | Missing]:
  return leaks.count(leaks.Found(leaks.find(cohort, {})), cohort)


def _known(cohort: Cohort) -> dict[str, dict[str, int]]:
  """Counts of kinds that are known without a doubt."""
  return {kind: _sure(count) for kind, count in _count(cohort).items()}


def _sure(count: Partly[dict[str, int]] | Missing) -> dict[str, int]:
  assert codec.why(count) == ''
  return count.value


def test_counts_by_kind_and_class() -> None:
  assert _known(_cohort()) == {
    'same_path': {'ill': 1, 'well': 1},
    'identical_file': {'ill': 2, 'well': 2},
    'identical_pixels': {'ill': 2, 'well': 3},
    'validation_identical_pixels': {'ill': 1, 'well': 0},
    'shared_group': {'ill': 2, 'well': 1},
    'validation_shared_group': {'ill': 1, 'well': 0},
    'near_duplicate': {'ill': 0, 'well': 0},
  }


def test_every_leak_names_both_images() -> None:
  found = leaks.find(_cohort(), {})
  ids = [(k.kind, k.split, k.id, k.other) for k in found]
  assert ids == [
    ('same_path', 'test', '5', '0'),
    ('same_path', 'test', '9', '3'),
    ('identical_file', 'test', '5', '0'),
    ('identical_file', 'test', '6', '0'),
    ('identical_file', 'test', '9', '3'),
    ('identical_file', 'test', '10', '1'),
    ('identical_pixels', 'test', '5', '0'),
    ('identical_pixels', 'test', '6', '0'),
    ('identical_pixels', 'test', '9', '3'),
    ('identical_pixels', 'test', '10', '1'),
    ('identical_pixels', 'test', '13', '1'),
    ('shared_group', 'test', '5', '0'),
    ('shared_group', 'test', '7', '1'),
    ('shared_group', 'test', '9', '3'),
    ('identical_pixels', 'validation', '4', '2'),
    ('shared_group', 'validation', '4', '1'),
  ]
  assert {k.distance for k in found} == {None}
  rows = list(csv.DictReader(io.StringIO(leaks.leaks_csv(found))))
  assert rows[0] == {
    'kind': 'same_path',
    'split': 'test',
    'id': '5',
    'label': 'ill',
    'other': '0',
    'distance': '',
  }
  assert [(r['kind'], r['split'], r['id'], r['other']) for r in rows] == ids


def test_the_clean_protocol_is_silent_about_validation() -> None:
  rows = [row for row in _ROWS if row[0] != 'validation' or row[2] == 'd']
  assert not [k for k in _count(_cohort(rows)) if k.startswith('validation')]


def test_candidates_left_out_do_not_leak() -> None:
  cohort = _cohort()
  cohort = cohort.replaced({
    c.id: c.left_out('not drawn')
    for c in cohort.candidates
    if c.split != 'test'
  })
  assert leaks.find(cohort, {}) == []
  counts = _known(cohort)
  for kind in ('same_path', 'identical_file', 'identical_pixels'):
    assert counts[kind] == _NONE


def test_unknown_groups_are_no_zero() -> None:
  cohort = _cohort()
  nameless = {
    c.id: dataclasses.replace(c, group='')
    for c in cohort.candidates
    if c.id in ('0', '3', '5')
  }
  cohort = cohort.replaced(nameless)
  found = _count(cohort)['shared_group']
  # What is known is a lower bound.
  assert sum(found.value.values()) < sum(
    _known(_cohort())['shared_group'].values()
  )
  assert found.why == '3 of 14 images name no patient or group'
  none = cohort.replaced({
    c.id: dataclasses.replace(c, group='') for c in cohort.candidates
  })
  why = 'the data name no patient or group'
  assert _count(none)['shared_group'] == Missing(why)
  # Two images without a name are not of one patient.
  assert not [
    k
    for k in leaks.find(cohort, {})
    if k.kind == 'shared_group' and k.id in nameless
  ]


def test_what_are_no_images_have_no_pixels() -> None:
  found = _count(_cohort(pixels=False))
  assert found['identical_pixels'] == Missing('the data are not images')
  assert _sure(found['identical_file']) == {'ill': 2, 'well': 2}


def test_candidates_left_out_need_no_digest() -> None:
  cohort = _cohort()
  bare = Candidate('x', 'x', 'ill', '').left_out('file not found')
  more = dataclasses.replace(cohort, candidates=(*cohort.candidates, bare))
  assert _count(more) == _count(cohort)


def test_near_duplicates_are_nearer_than_a_tenth() -> None:
  cohort = _cohort()
  tested = [c.id for c in cohort.included if c.split == 'test']
  # Exactly 0.1 is no duplicate yet.
  distance = dict(
    zip(tested, (0.09, 0.1, 0.3, 0.4, 0.4, 0.0, 0.7, 0.8, 0.9), strict=True)
  )
  nearest = leaks.Nearest(dict.fromkeys(tested, '2'), distance)
  found = leaks.find(cohort, {'test': nearest})
  near = [k for k in found if k.kind == 'near_duplicate']
  assert near == [
    leaks.Leak('near_duplicate', 'test', '5', 'ill', '2', 0.09),
    leaks.Leak('near_duplicate', 'test', '10', 'well', '2', 0.0),
  ]
  counts = leaks.count(leaks.Found(found), cohort)
  assert _sure(counts['near_duplicate']) == {'ill': 1, 'well': 1}


def test_counts_of_folds_add_up() -> None:
  """Every fold tests other images, so that none is counted twice."""
  cohort = _cohort()
  swapped = cohort.replaced({
    c.id: dataclasses.replace(
      c, split={'test': 'train', 'train': 'test'}.get(c.split, c.split)
    )
    for c in cohort.candidates
  })
  found = leaks.find(cohort, {}) + leaks.find(swapped, {})
  counts = leaks.count(leaks.Found(found), cohort)
  assert _sure(counts['same_path']) == {'ill': 1 + 1, 'well': 1}
  # a; b by two files; c by the pixels of the validation image.
  assert _sure(counts['identical_pixels']) == {'ill': 2 + 2, 'well': 3 + 1}


class _AnyImage:
  """A source that has every file, each of content of its own."""

  name = 'nowhere'

  def exists(self, path: str) -> bool:
    return True

  def inspect(self, path: str) -> sources.Inspection:
    digest = hashlib.sha256(path.encode()).hexdigest()
    return sources.Inspection(
      '', (('sha256', digest), ('pixels_sha256', digest))
    )


@pytest.fixture(scope='module')
def by_the_papers_rule(odir_dir: pathlib.Path) -> Cohort:
  """The rows of the published table, without their images."""
  table = odir_dir / 'full_df.csv'
  found = odir.candidates(
    table, odir.read_rows(table), ('cataract', 'normal fundus'), 'images'
  )
  return selection.select(
    Cohort('x', _AnyImage(), ('cataract', 'normal fundus'), found),
    seed=0,
    balance=True,
    distinct=False,
    max_bad_share=0,
    workers=1,
  )


def _split(cohort: Cohort, protocol: str, seed: int) -> Cohort:
  (found,) = splits.assign(
    cohort,
    seed=seed,
    protocol=protocol,
    test_share=0.2,
    validation_share=0.2,
    folds=0,
  )
  return found


@pytest.mark.slow
def test_most_cataract_rows_that_the_paper_tests_were_trained_on(
  by_the_papers_rule: Cohort,
) -> None:
  cohort = by_the_papers_rule
  rows = [c.path for c in cohort.included if c.label == 'cataract']
  times = [rows.count(path) for path in set(rows)]
  assert (len(rows), len(times), times.count(2)) == (518, 262, 256)
  shares = []
  for seed in range(200):
    found = leaks.find(_split(cohort, 'published', seed), {})
    of_kind = {
      kind: sum((k.kind, k.label) == (kind, 'cataract') for k in found)
      for kind in ('same_path', 'identical_file', 'identical_pixels')
    }
    assert len(set(of_kind.values())) == 1
    shares.append(of_kind['same_path'] / 104)
  # 512 of 518 rows have a twin, which is one of the other 517 rows, of which
  # 414 train.
  assert np.mean(shares) == pytest.approx(414 / 517 * 512 / 518, abs=0.01)
  assert 0.03 < np.std(shares) < 0.06


@pytest.mark.medium
def test_the_clean_protocol_shares_nothing(odir_dir: pathlib.Path) -> None:
  table = odir_dir / 'full_df.csv'
  found = odir.candidates(
    table, odir.read_rows(table), ('cataract', 'normal fundus'), 'images'
  )
  cohort = selection.select(
    Cohort('x', _AnyImage(), ('cataract', 'normal fundus'), found),
    seed=0,
    balance=True,
    distinct=True,
    max_bad_share=0,
    workers=1,
  )
  assert len(cohort.included) == 262 * 2
  for seed in range(4):
    assert leaks.find(_split(cohort, 'clean', seed), {}) == []


def test_leaks_of_a_regression_have_no_classes() -> None:
  labels = {'ill': '12', 'well': '30.5'}
  cohort = _cohort()
  candidates = tuple(
    dataclasses.replace(c, label=labels[c.label]) for c in cohort.candidates
  )
  numbers = dataclasses.replace(
    cohort, classes=(), candidates=candidates, task='regression'
  )
  by_class, counts = _known(cohort), _known(numbers)
  assert counts.keys() == by_class.keys()
  for kind, found in by_class.items():
    assert counts[kind] == {'all': sum(found.values())}
  found = leaks.find(numbers, {})
  assert [k._replace(label='') for k in found] == [
    k._replace(label='') for k in leaks.find(cohort, {})
  ]
  assert {k.label for k in found} == set(labels.values())


def test_of_some_test_images_all_are_told_by_an_interval() -> None:
  """Wilson's, by hand: 5 of 100 are 2.15 to 11.18 %, of 1,000 images."""
  said = leaks.Compared(number=100, of=1000, near=5).sentence
  assert said.endswith('of all 22 to 112 are near duplicates (95%)')
