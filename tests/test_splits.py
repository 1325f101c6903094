"""Splits: the paper's numbers, and no patient on both sides."""

from collections import Counter
from collections.abc import Sequence
import pathlib

import hypothesis
from hypothesis import strategies as st
import pytest

from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError


def _cohort(
    rows: Sequence[tuple[str, str]], split: Sequence[str] = ()
) -> Cohort:
  """From (label, group) of each candidate."""
  split = split or [''] * len(rows)
  candidates = tuple(
      Candidate(f'{i}', f'{i}.png', label, group, split=part)
      for i, ((label, group), part) in enumerate(zip(rows, split, strict=True))
  )
  return Cohort('made up', pathlib.Path('root'), 'ill', 'well', candidates)


def _plain(positives: int, negatives: int) -> Cohort:
  rows = [('ill', f'p{i}') for i in range(positives)]
  return _cohort(rows + [('well', f'n{i}') for i in range(negatives)])


def _assign(cohort: Cohort, protocol: str = 'clean', **options) -> Cohort:
  options = {
      'seed': 0, 'test_share': 0.2, 'validation_share': 0.2, **options
  }  # pyformat: disable
  return splits.assign(cohort, protocol=protocol, **options)


def _counts(cohort: Cohort) -> dict[tuple[str, str], int]:
  return dict(Counter((c.split, c.label) for c in cohort.included))


@pytest.mark.parametrize('seed', range(5))
def test_fundus_numbers_of_the_paper(seed: int) -> None:
  found = _assign(_plain(518, 518), 'published', seed=seed)
  assert _counts(found) == {
      ('train', 'ill'): 414, ('train', 'well'): 414,
      ('test', 'ill'): 104, ('test', 'well'): 104,
  }  # pyformat: disable


@pytest.mark.parametrize('seed', range(5))
def test_chest_numbers_of_the_paper(seed: int) -> None:
  counts = _counts(_assign(_plain(141, 141), 'published', seed=seed))
  train = sorted(counts['train', label] for label in ('ill', 'well'))
  test = sorted(counts['test', label] for label in ('ill', 'well'))
  assert (train, test) == ([112, 113], [28, 29])
  assert len(counts) == 4


def test_chest_classes_of_the_paper_come_about() -> None:
  """29 positives in the test set, as its sensitivities say."""
  found = {
      _counts(_assign(_plain(141, 141), 'published', seed=s))['test', 'ill']
      for s in range(12)
  }
  assert 29 in found


def test_published_splits_rows_whatever_the_group() -> None:
  cohort = _cohort(
      [('ill', 'one')] * 50 + [('well', 'other')] * 50
  )
  assert _counts(_assign(cohort, 'published'))['test', 'ill'] == 10


@hypothesis.given(
    st.lists(
        st.tuples(st.sampled_from(['ill', 'well']), st.integers(0, 25)),
        min_size=40,
        max_size=120,
    ),
    st.integers(0, 2**31),
)
@hypothesis.settings(deadline=None, max_examples=80)
@pytest.mark.filterwarnings('ignore:The least populated class')
def test_clean_keeps_every_group_on_one_side(
    rows: list[tuple[str, int]], seed: int
) -> None:
  cohort = _cohort([(label, str(group)) for label, group in rows])
  try:
    found = _assign(cohort, seed=seed)
  except UserError:
    # Only where a class has too few groups to be on all three sides.
    groups = {
        label: len({g for l, g in rows if l == label})
        for label in ('ill', 'well')
    }
    assert min(groups.values()) < 10
    return
  sides = {}
  for c in found.candidates:
    sides.setdefault(c.group, set()).add(c.split)
  assert all(len(parts) == 1 for parts in sides.values())
  assert set().union(*sides.values()) == {'train', 'validation', 'test'}
  assert len(_counts(found)) == 6
  # Only the split is new.
  for before, after in zip(cohort.candidates, found.candidates, strict=True):
    assert before == Candidate(**{**vars(after), 'split': ''})


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('test_share', [0.1, 0.2, 0.25, 1 / 3, 0.5])
def test_clean_shares(seed: int, test_share: float) -> None:
  rows = [('ill' if i % 2 else 'well', str(i // 3)) for i in range(900)]
  counts = _counts(_assign(_cohort(rows), seed=seed, test_share=test_share))
  for label in ('ill', 'well'):
    test = counts['test', label] / 450
    validation = counts['validation', label] / (450 - counts['test', label])
    assert test == pytest.approx(test_share, abs=0.03)
    assert validation == pytest.approx(0.2, abs=0.03)


def test_clean_is_stratified() -> None:
  rows = [('ill' if i % 10 == 0 else 'well', str(i)) for i in range(1000)]
  counts = _counts(_assign(_cohort(rows)))
  for split in ('train', 'validation', 'test'):
    share = counts[split, 'ill'] / (
        counts[split, 'ill'] + counts[split, 'well']
    )
    assert share == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_the_seed_decides(protocol: str) -> None:
  cohort = _plain(60, 60)
  first, again, other = (_assign(cohort, protocol, seed=s) for s in (3, 3, 4))
  assert first == again
  assert {c.id for c in first.included if c.split == 'test'} != {
      c.id for c in other.included if c.split == 'test'
  }


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_only_included_candidates_get_a_split(protocol: str) -> None:
  cohort = _plain(40, 40)
  dropped = {str(i) for i in range(0, 80, 7)}
  cohort = cohort.replaced({
      c.id: c.left_out('not drawn')
      for c in cohort.candidates
      if c.id in dropped
  })
  for c in _assign(cohort, protocol).candidates:
    assert bool(c.split) == (c.id not in dropped)


_PARTS = ['train', 'train', 'validation', 'test']


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_splits_of_the_source_stay(protocol: str) -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  cohort = _cohort(rows, _PARTS * 4)
  assert _assign(cohort, protocol) == cohort


def test_a_validation_part_is_taken_from_the_sources_training() -> None:
  rows = [('ill' if i % 2 else 'well', str(i // 2)) for i in range(120)]
  parts = ['test' if i >= 90 else 'train' for i in range(120)]
  cohort = _cohort(rows, parts)
  found = _assign(cohort).candidates
  assert all(c.split == 'test' for c in found[90:])
  assert Counter(c.split for c in found[:90]) == {'train': 72, 'validation': 18}
  sides = {}
  for c in found:
    sides.setdefault(c.group, set()).add(c.split)
  assert all(len(parts) == 1 for parts in sides.values())
  assert _assign(cohort, 'published') == cohort  # Has no validation part.


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_splits_for_some_rows_only_are_refused(protocol: str) -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  parts = ['', *(_PARTS * 4)[1:]]
  with pytest.raises(UserError, match='Only 15 of 16 images'):
    _assign(_cohort(rows, parts), protocol)


def test_rows_left_out_need_no_split() -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  cohort = _cohort(rows + [('other', 'x')], [*_PARTS * 4, ''])
  last = cohort.candidates[-1]
  cohort = cohort.replaced({last.id: last.left_out('another label')})
  assert _assign(cohort) == cohort


@pytest.mark.parametrize('sides', [('train', 'test'), ('train', 'validation')])
def test_a_group_on_both_sides_is_refused_when_clean(
    sides: tuple[str, str]
) -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  rows += [('ill', 'Smith'), ('ill', 'Smith')]
  cohort = _cohort(rows, [*_PARTS * 4, *sides])
  with pytest.raises(UserError, match="the group 'Smith' on both sides"):
    _assign(cohort)
  assert _assign(cohort, 'published') == cohort


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
@pytest.mark.parametrize(
    ('positives', 'negatives'), [(0, 0), (1, 1), (1, 50), (2, 2), (50, 1)]
)
@pytest.mark.filterwarnings('ignore:The least populated class')
def test_too_few_images(protocol: str, positives: int, negatives: int) -> None:
  with pytest.raises(UserError) as caught:
    _assign(_plain(positives, negatives), protocol)
  text = str(caught.value)
  assert text.endswith('.') and '\n' not in text
  assert 'more images' in text


def test_one_patient_alone_cannot_be_split() -> None:
  cohort = _cohort([('ill', 'p'), ('well', 'p')] * 30)
  with pytest.raises(UserError, match='more images'):
    _assign(cohort)


@pytest.mark.parametrize('part', ['train', 'test'])
@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
@pytest.mark.filterwarnings('ignore:The least populated class')
def test_a_source_that_puts_all_into_one_part(protocol: str, part: str) -> None:
  rows = [('ill' if i < 20 else 'well', str(i)) for i in range(40)]
  with pytest.raises(UserError):
    _assign(_cohort(rows, [part] * 40), protocol)
