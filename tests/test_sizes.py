"""Samples of growing size."""

from collections import Counter
import csv
import dataclasses
import io
import itertools
import pathlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import stats

from heterojax.datasets import sizes
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.errors import UserError


def _cohort(positives: int, negatives: int) -> Cohort:
  labels = ['ill'] * positives + ['well'] * negatives
  candidates = tuple(
    Candidate(f'i{i}', f'{i}.png', label, f'p{i // 2}')
    for i, label in enumerate(labels)
  )
  root = sources.Files(pathlib.Path('root'))
  return Cohort('made up', root, ('ill', 'well'), candidates)


def _numbers(n: int) -> Cohort:
  cohort = _cohort(n, 0)
  candidates = tuple(
    dataclasses.replace(c, label=str(3 * i))
    for i, c in enumerate(cohort.candidates)
  )
  return dataclasses.replace(
    cohort, classes=(), candidates=candidates, task='regression'
  )


def _ids(cohort: Cohort) -> set[str]:
  return {c.id for c in cohort.included}


@pytest.mark.parametrize(
  ('text', 'want'),
  [
    ('100,300,half,all', (100, 300, 0.5, 1.0)),
    ('(100, 300)', (100, 300)),
    ('(100,)', (100,)),
    ('[60, 0.25, ALL]', (60, 0.25, 1.0)),
    ('0.5,1.0', (0.5, 1.0)),
    ('1, 1.', (1, 1.0)),
    ('.5', (0.5,)),
  ],
)
def test_parse(text: str, want: tuple[sizes.Size, ...]) -> None:
  found = sizes.parse(text)
  assert found == want
  assert [type(size) for size in found] == [type(size) for size in want]


@pytest.mark.parametrize(
  ('text', 'named'),
  [
    ('', "''"),
    ('()', "'()'"),
    ('100,,300', "''"),
    ('100;300', '100;300'),
    ('0', "'0'"),
    ('0.0', "'0.0'"),
    ('1.5', "'1.5'"),
    ('-5', "'-5'"),
    ('1e2', "'1e2'"),
    ('100,most', "'most'"),
    ('nan', "'nan'"),
  ],
)
def test_other_sizes_are_refused(text: str, named: str) -> None:
  with pytest.raises(UserError, match='--config.sizes') as caught:
    sizes.parse(text)
  assert named in str(caught.value)


@pytest.mark.medium
@hypothesis.given(
  st.integers(1, 60),
  st.integers(1, 60),
  st.lists(st.floats(0.01, 1), min_size=1, max_size=4),
  st.integers(0, 2**31),
)
def test_nested_samples(
  positives: int, negatives: int, shares: list[float], seed: int
) -> None:
  cohort = _cohort(positives, negatives)
  n = positives + negatives
  wanted = sorted({max(int(share * n), 1) for share in shares})
  found = sizes.draw(cohort, wanted, seed, nested=True)
  assert [len(own.included) for own in found] == wanted
  for small, large in zip(found, found[1:]):
    assert _ids(small) < _ids(large)
  for own in found:
    ill = sum(c.label == 'ill' for c in own.included)
    # In proportion, as near as whole images are.
    assert abs(ill - len(own.included) * positives / n) <= 0.5
    for before, after in zip(cohort.candidates, own.candidates, strict=True):
      if after.included:
        assert after == before
      else:
        assert after.reason == f'not drawn for n={len(own.included)}'


@hypothesis.example([3, 3, 1])  # Largest remainders: 1 and 0 of the last.
@hypothesis.given(st.lists(st.integers(1, 12), min_size=3, max_size=4))
def test_nested_samples_of_several_classes(members: list[int]) -> None:
  names = tuple('abcde'[: len(members)])
  labels = [c for c, m in zip(names, members, strict=True) for _ in range(m)]
  cohort = _cohort(len(labels), 0)
  candidates = tuple(
    dataclasses.replace(c, label=label)
    for c, label in zip(cohort.candidates, labels, strict=True)
  )
  cohort = dataclasses.replace(cohort, classes=names, candidates=candidates)
  found = sizes.draw(cohort, range(1, len(labels) + 1), 0, nested=True)
  for n, (small, large) in enumerate(zip(found, found[1:]), start=1):
    assert len(_ids(small)) == n and _ids(small) < _ids(large)
    drawn = Counter(c.label for c in small.included)
    shares = [drawn[c] / m for c, m in zip(names, members, strict=True)]
    # No image of one class in the place of one of another would bring the
    # shares of the two nearer to each other (Sainte-Lague's condition).
    for a, b in itertools.permutations(range(len(names)), 2):
      assert shares[a] - 0.5 / members[a] <= shares[b] + 0.5 / members[b] + 1e-9


def test_independent_samples_are_drawn_apart() -> None:
  cohort = _cohort(200, 200)
  small, large = sizes.draw(cohort, (100, 200), 0, nested=False)
  # Of 100 images, 50 are expected among 200 of 400; sd 4.3.
  assert 30 < len(_ids(small) & _ids(large)) < 70
  # Each depends on its own size alone.
  (alone,) = sizes.draw(cohort, (200,), 0, nested=False)
  assert _ids(alone) == _ids(large)


@pytest.mark.parametrize('nested', [True, False])
def test_all_is_all(nested: bool) -> None:
  cohort = _cohort(31, 20)
  (found,) = sizes.draw(cohort, (1.0,), 0, nested)
  assert found == cohort


@pytest.mark.medium
def test_the_sizes_of_the_papers() -> None:
  plates = sizes.draw(
    _cohort(1500, 1428), sizes.parse('100,300,half,all'), 0, nested=True
  )
  assert [len(own.included) for own in plates] == [100, 300, 1464, 2928]
  hands = sizes.draw(
    _numbers(5778), sizes.parse('300,700,2837,5674'), 0, nested=True
  )
  assert [len(own.included) for own in hands] == [300, 700, 2837, 5674]


def test_shares_are_rounded_down_as_they_are_written() -> None:
  found = sizes.draw(_cohort(50, 50), (0.29, 0.57, 0.58), 0, nested=True)
  assert [len(own.included) for own in found] == [29, 57, 58]
  (half,) = sizes.draw(_numbers(5675), (0.5,), 0, nested=True)
  assert len(half.included) == 2837


def test_each_size_once_and_from_small_to_large() -> None:
  found = sizes.draw(_cohort(50, 50), (1.0, 20, 0.5, 50, 20), 0, nested=True)
  assert [len(own.included) for own in found] == [20, 50, 100]
  for own in found:
    assert own.notes == (
      '--config.sizes asks for 20 images 2 times (20, 20): they are one size.',
      '--config.sizes asks for 50 images 2 times (half, 50): they are one'
      ' size.',
    )
  (alone,) = sizes.draw(_cohort(50, 50), (20,), 0, nested=True)
  assert alone.notes == ()


@pytest.mark.parametrize('text', ['', '100,300', '(300, 100)', '300,100,100'])
def test_sizes_of_files_may_be_named(text: str) -> None:
  sizes.check_files(text, [300, 100, 300, 100])


@pytest.mark.parametrize('text', ['100', '100,300,500', 'all', '100,half'])
def test_other_sizes_than_those_of_files_are_refused(text: str) -> None:
  with pytest.raises(UserError, match='rows of the files, 100, 300: leave out'):
    sizes.check_files(text, [300, 100, 300, 100])


@pytest.mark.parametrize(
  ('size', 'says'),
  [(101, 'There are 100 images .* 101'), (0.001, 'no image')],
)
def test_sizes_that_cannot_be(size: sizes.Size, says: str) -> None:
  with pytest.raises(UserError, match=says):
    sizes.draw(_cohort(50, 50), (20, size), 0, nested=True)


def test_only_what_is_included_is_drawn() -> None:
  cohort = _cohort(40, 40)
  gone = {c.id: c.left_out('file not found') for c in cohort.candidates[::4]}
  (found,) = sizes.draw(cohort.replaced(gone), (0.5,), 0, nested=True)
  assert len(found.included) == 30
  assert not _ids(found) & gone.keys()
  assert Counter(c.reason for c in found.candidates)['file not found'] == 20


def test_an_image_less_changes_no_other_place() -> None:
  cohort = _cohort(200, 0)
  (before,) = sizes.draw(cohort, (100,), 0, nested=True)
  lost = sorted(_ids(before))[0]
  smaller = cohort.replaced({
    c.id: c.left_out('x') for c in cohort.candidates if c.id == lost
  })
  (after,) = sizes.draw(smaller, (100,), 0, nested=True)
  assert len(_ids(before) - _ids(after)) == 1


def test_the_seed_decides() -> None:
  draws = [
    _ids(sizes.draw(_cohort(50, 50), (50,), seed, nested=True)[0])
    for seed in (0, 0, 1)
  ]
  assert draws[0] == draws[1] != draws[2]


@pytest.mark.parametrize('nested', [True, False])
def test_every_image_is_drawn_equally_often(nested: bool) -> None:
  cohort, seeds = _numbers(30), 600
  times = Counter(
    i
    for seed in range(seeds)
    for i in _ids(sizes.draw(cohort, (10,), seed, nested)[0])
  )
  counts = np.array([times[c.id] for c in cohort.candidates])
  # Sampling without replacement: the statistic is a chi-square's times 20/29.
  expected = seeds / 3
  statistic = (np.square(counts - expected) / expected).sum() * 29 / 20
  assert stats.chi2.sf(statistic, 29) > 1e-4


def _assigned(cohort: Cohort, folds: int) -> tuple[Cohort, ...]:
  return splits.assign(
    cohort,
    seed=0,
    protocol='clean',
    test_share=0.25,
    validation_share=0.2,
    folds=folds,
  )


@pytest.mark.parametrize('nested', [True, False])
def test_manifest_of_all_parts(nested: bool) -> None:
  cohort = _cohort(100, 100)
  gone = cohort.candidates[0]
  cohort = cohort.replaced({gone.id: gone.left_out('file not found')})
  drawn = sizes.draw(cohort, (60, 120), 0, nested)
  parts = [part for own in drawn for part in _assigned(own, 3)]
  numbered = [(n, fold) for n in (60, 120) for fold in range(3)]
  manifest = sizes.of_all_parts(parts, numbered)
  rows = list(csv.DictReader(io.StringIO(''.join(manifest_csv(manifest)))))
  assert {row['id'] for row in rows} == {c.id for c in cohort.candidates}
  assert len(rows) == 200
  tested = {
    (numbered[i], c.id)
    for i, part in enumerate(parts)
    for c in part.included
    if c.split == 'test'
  }
  for row in rows:
    at = {n: row[f'fold_at_{n}'] for n in (60, 120)}
    for n, fold in numbered:
      assert (at[n] == f'fold_{fold}') == (((n, fold), row['id']) in tested)
    assert row['included'] == str(any(at.values())).lower()
    assert bool(row['reason']) != any(at.values())
    assert row['split'] == at[120]
  assert {r['reason'] for r in rows} == {
    '',
    'file not found',
    'not drawn for n=120',
  }
  if not nested:
    assert any(r['fold_at_60'] and not r['fold_at_120'] for r in rows)


def test_manifest_without_folds_names_the_splits() -> None:
  drawn = sizes.draw(_cohort(60, 60), (60, 120), 0, nested=True)
  parts = [_assigned(own, 0)[0] for own in drawn]
  found = sizes.of_all_parts(parts, [(60, 0), (120, 0)])
  for c in found.candidates:
    own = [next(k for k in part.candidates if k.id == c.id) for part in parts]
    assert c.columns == tuple(
      (f'fold_at_{n}', k.split) for n, k in zip((60, 120), own)
    )


def test_manifest_of_sizes_with_images_of_their_own() -> None:
  """As files of features have: what a size does not name, it does not draw."""
  first, second = _cohort(30, 30), _cohort(60, 60)
  renamed = tuple(
    dataclasses.replace(c, id=f'x{i}') if i < 40 else c
    for i, c in enumerate(second.candidates)
  )
  second = dataclasses.replace(second, candidates=renamed)
  parts = [_assigned(first, 0)[0], _assigned(second, 0)[0]]
  found = sizes.of_all_parts(parts, [(60, 0), (120, 0)])
  ids = [c.id for c in found.candidates]
  assert len(ids) == len(set(ids)) == 120 + 40
  columns = {c.id: dict(c.columns) for c in found.candidates}
  assert columns['x0']['fold_at_60'] == '' != columns['x0']['fold_at_120']
  assert columns['i0']['fold_at_120'] == '' != columns['i0']['fold_at_60']
