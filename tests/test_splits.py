"""Splits: the paper's numbers, and no patient on both sides."""

from collections import Counter
from collections.abc import Sequence
import csv
import dataclasses
import hashlib
import io
import pathlib
import shutil

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from heterojax.datasets import nih
from heterojax.datasets import odir
from heterojax.datasets import ready
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.errors import UserError
from heterojax.studies import samples as samples_lib


def _cohort(
  rows: Sequence[tuple[str, str]], split: Sequence[str] = ()
) -> Cohort:
  """From (label, group) of each candidate."""
  split = split or [''] * len(rows)
  candidates = tuple(
    Candidate(f'{i}', f'{i}.png', label, group, split=part)
    for i, ((label, group), part) in enumerate(zip(rows, split, strict=True))
  )
  root = sources.Files(pathlib.Path('root'))
  return Cohort('made up', root, ('ill', 'well'), candidates)


def _plain(positives: int, negatives: int) -> Cohort:
  rows = [('ill', f'p{i}') for i in range(positives)]
  return _cohort(rows + [('well', f'n{i}') for i in range(negatives)])


def _folds(
  cohort: Cohort, protocol: str = 'clean', **options
) -> tuple[Cohort, ...]:
  options = {
    'seed': 0,
    'test_share': 0.2,
    'validation_share': 0.2,
    'folds': 0,
    **options,
  }
  return splits.assign(cohort, protocol=protocol, **options)


def _assign(cohort: Cohort, protocol: str = 'clean', **options) -> Cohort:
  (found,) = _folds(cohort, protocol, **options)
  return found


def _counts(cohort: Cohort) -> dict[tuple[str, str], int]:
  return dict(Counter((c.split, c.label) for c in cohort.included))


@pytest.mark.parametrize('seed', range(5))
def test_fundus_numbers_of_the_paper(seed: int) -> None:
  found = _assign(_plain(518, 518), 'published', seed=seed)
  assert _counts(found) == {
    ('train', 'ill'): 414,
    ('train', 'well'): 414,
    ('test', 'ill'): 104,
    ('test', 'well'): 104,
  }


class _AnyImage:
  """A source that has every file, each of content of its own."""

  name = 'nowhere'

  def exists(self, path: str) -> bool:
    return True

  def inspect(self, path: str) -> sources.Inspection:
    digest = hashlib.sha256(path.encode()).hexdigest()
    return sources.Inspection('', (('sha256', digest),))


def _published(
  cohort: Cohort, factors: tuple[float, float], seed: int
) -> tuple[list[int], ...]:
  """(positives, negatives) selected, trained on, tested, and augmented."""
  cohort = dataclasses.replace(cohort, source=_AnyImage())
  cohort = selection.select(
    cohort,
    seed=seed,
    balance=True,
    distinct=False,
    max_bad_share=0,
    workers=1,
  )
  found = _assign(cohort, 'published', seed=seed)
  counts = Counter((c.split, c.label) for c in found.included)
  (samples,) = samples_lib.collect([found], seed=seed, factors=factors)
  names = cohort.classes
  after = samples.class_counts(samples.of('train'), names)
  assert set(samples.split) == {'train', 'test'}
  return (
    [sum(c.label == name for c in cohort.included) for name in names],
    [counts['train', name] for name in names],
    [counts['test', name] for name in names],
    [after[name] for name in names],
  )


@pytest.mark.slow
def test_the_papers_fundus_numbers_from_the_published_table(
  odir_dir: pathlib.Path,
) -> None:
  table = odir_dir / 'full_df.csv'
  found = odir.candidates(
    table, odir.read_rows(table), ('cataract', 'normal fundus'), 'images'
  )
  cohort = Cohort('x', _AnyImage(), ('cataract', 'normal fundus'), found)
  for seed in range(10):
    assert _published(cohort, (2, 600 / 414), seed) == (
      [518, 518],
      [414, 414],
      [104, 104],
      [828, 600],
    )


@pytest.fixture(scope='module')
def nih_sample(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
  """A table with as many rows of the two classes as the NIH sample has.

  141 of 126 patients with the disease, 50 of them with nothing else; 3044
  without a finding; others that are of neither class.
  """
  header = (
    'Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient'
    ' Gender,View Position,OriginalImageWidth,OriginalImageHeight,'
    'OriginalImagePixelSpacing_x,OriginalImagePixelSpacing_y'
  )
  findings = ['Cardiomegaly'] * 50 + ['Cardiomegaly|Effusion'] * 91
  findings += ['No Finding'] * 3044 + ['Effusion'] * 200
  patients = [i % 126 for i in range(141)] + list(range(100, 3344))
  rows = [
    f'{p:08d}_{i % 3:03d}.png,{f},{i % 3:03d},{p:08d},060Y,M,PA,1,1,0.1,0.1'
    for i, (p, f) in enumerate(zip(patients, findings, strict=True))
  ]
  folder = tmp_path_factory.mktemp('nih')
  (folder / 'sample_labels.csv').write_text('\r\n'.join([header, *rows]))
  (folder / rows[0].split(',')[0]).touch()  # Else no images are found at all.
  return nih.read(folder, ('Cardiomegaly', 'No Finding'))


@pytest.mark.medium
def test_the_papers_chest_numbers_from_a_table_as_large(
  nih_sample: Cohort,
) -> None:
  for seed in range(25):
    assert _published(nih_sample, (2, 2), seed) == (
      [141, 141],
      [112, 113],
      [29, 28],
      [224, 226],
    )


@hypothesis.given(
  st.integers(2, 90),
  st.integers(2, 90),
  st.sampled_from([0.1, 0.2, 0.37]),
  st.integers(0, 2**31),
)
@hypothesis.settings(deadline=None, max_examples=80)
def test_published_sizes_are_those_of_scikit_learn(
  positives: int, negatives: int, share: float, seed: int
) -> None:
  """But for a tie, which scikit-learn decides at random."""
  labels = [1] * positives + [0] * negatives
  try:
    _, want = train_test_split(
      labels, test_size=share, stratify=labels, random_state=0
    )
    found = _assign(
      _plain(positives, negatives), 'published', seed=seed, test_share=share
    )
  except (UserError, ValueError):
    # Either needs a row of each class on both sides.
    n = positives + negatives
    assert share * min(positives, negatives) < 1 or n < 20
    return
  counts = _counts(found)
  assert counts['test', 'ill'] + counts['test', 'well'] == len(want)
  exact = len(want) * positives / (positives + negatives)
  is_tie = exact % 1 == 0.5
  assert counts['test', 'ill'] == (exact + 0.5 if is_tie else sum(want))


def test_published_splits_rows_whatever_the_group() -> None:
  cohort = _cohort([('ill', 'one')] * 50 + [('well', 'other')] * 50)
  assert _counts(_assign(cohort, 'published'))['test', 'ill'] == 10


@pytest.mark.slow
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
    # Only where a class has too few groups to be on all three sides, or many of
    # its images are of one.
    groups = [
      Counter(group for label, group in rows if label == name)
      for name in ('ill', 'well')
    ]
    assert min(map(len, groups)) < 12 or any(
      max(own.values()) > 0.2 * own.total() for own in groups
    )
    return
  sides = {}
  for c in found.candidates:
    sides.setdefault(c.group, set()).add(c.split)
  assert all(len(parts) == 1 for parts in sides.values())
  assert set().union(*sides.values()) == {'train', 'validation', 'test'}
  assert len(_counts(found)) == 6
  # Only the split is new.
  for before, after in zip(cohort.candidates, found.candidates, strict=True):
    assert before == dataclasses.replace(after, split='')


@pytest.mark.medium
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


def test_images_of_no_named_patient_stand_alone() -> None:
  # What others are called is no patient's name.
  rows = [('ill' if i % 2 else 'well', '') for i in range(100)]
  rows += [('ill' if i % 2 else 'well', str(i // 10)) for i in range(100)]
  counts = Counter(
    (bool(c.group), c.split) for c in _assign(_cohort(rows)).included
  )
  assert counts[False, 'test'] == pytest.approx(20, abs=8)
  assert counts[False, 'validation'] == pytest.approx(16, abs=8)


def test_clean_is_stratified() -> None:
  rows = [('ill' if i % 10 == 0 else 'well', str(i)) for i in range(1000)]
  counts = _counts(_assign(_cohort(rows)))
  for split in ('train', 'validation', 'test'):
    share = counts[split, 'ill'] / (
      counts[split, 'ill'] + counts[split, 'well']
    )
    assert share == pytest.approx(0.1, abs=0.01)


_GROUPED = st.lists(
  st.tuples(st.sampled_from(['ill', 'well']), st.integers(0, 40)),
  min_size=60,
  max_size=140,
)


def test_many_images_of_no_patient_are_split_without_a_search(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(splits, '_MANY', 100)
  cohort = _assign(_plain(150, 300), test_share=0.2)
  counts = Counter((c.label, c.split) for c in cohort.included)
  labels = cohort.classes
  assert [counts[label, 'test'] for label in labels] == [30, 60]
  assert cohort == _assign(_plain(150, 300), test_share=0.2)


def test_patients_of_many_images_stay_whole(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  monkeypatch.setattr(splits, '_MANY', 50)
  rows = [('ill' if i % 2 else 'well', f'p{i // 3}') for i in range(120)]
  sides = {(c.group, c.split) for c in _assign(_cohort(rows)).included}
  assert len(sides) == 40


@pytest.mark.slow
@hypothesis.given(
  _GROUPED,
  st.sampled_from(splits.PROTOCOLS),
  st.integers(2, 6),
  st.integers(0, 2**31),
  st.lists(st.booleans(), min_size=140, max_size=140),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_folds_test_every_image_once_and_keep_groups_whole(
  rows: list[tuple[str, int]],
  protocol: str,
  folds: int,
  seed: int,
  dropped: list[bool],
) -> None:
  # No. 0 names no patient, so that each of its images stands alone.
  cohort = _cohort([(label, str(group or '')) for label, group in rows])
  cohort = cohort.replaced({
    c.id: c.left_out('not drawn')
    for c, drop in zip(cohort.candidates, dropped)
    if drop and int(c.id) % 4 == 0
  })
  try:
    found = _folds(cohort, protocol, folds=folds, seed=seed)
  except UserError:
    # Only where a class has few groups, or many of its images are of one.
    groups = [
      Counter(c.unit for c in cohort.included if c.label == label)
      for label in ('ill', 'well')
    ]
    assert min(map(len, groups)) < 8 * folds or any(
      max(own.values()) > 0.1 * own.total() for own in groups
    )
    return
  assert len(found) == folds
  tested = Counter()
  wanted = {'train', 'test'}
  if protocol == 'clean':
    wanted |= {'validation'}
  for part in found:
    sides = {}
    for c in part.included:
      sides.setdefault(c.unit, set()).add(c.split)
      tested[c.id] += c.split == 'test'
    assert all(len(names) == 1 for names in sides.values())
    assert set().union(*sides.values()) == wanted
    # Only the split is new, and only of what is used.
    for before, after in zip(cohort.candidates, part.candidates, strict=True):
      assert before == dataclasses.replace(after, split='')
      assert bool(after.split) == after.included
  assert tested == dict.fromkeys((c.id for c in cohort.included), 1)
  # In the manifest every row stands once, with the fold that tests it.
  manifest = csv.DictReader(
    io.StringIO(''.join(manifest_csv(splits.by_fold(found))))
  )
  lines = list(manifest)
  assert [line['id'] for line in lines] == [c.id for c in cohort.candidates]
  where = {
    c.id: f'fold_{fold}'
    for fold, part in enumerate(found)
    for c in part.included
    if c.split == 'test'
  }
  assert [line['split'] for line in lines] == [
    where.get(c.id, '') for c in cohort.candidates
  ]


def test_folds_are_equal_and_stratified() -> None:
  rows = [('ill' if i % 4 == 0 else 'well', str(i // 2)) for i in range(800)]
  for part in _folds(_cohort(rows), folds=4):
    counts = _counts(part)
    assert counts['test', 'ill'] == pytest.approx(50, abs=4)
    assert counts['test', 'well'] == pytest.approx(150, abs=8)
    assert counts['validation', 'ill'] == pytest.approx(30, abs=4)


def test_folds_validate_on_other_images_each() -> None:
  parts = [
    {c.id for c in part.included if c.split == 'validation'}
    for part in _folds(_plain(60, 60), folds=3)
  ]
  assert len({frozenset(part) for part in parts}) == 3


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
@pytest.mark.parametrize('folds', [0, 3])
def test_folds_of_the_source_stay(protocol: str, folds: int) -> None:
  rows = [('ill' if i % 2 else 'well', str(i // 2)) for i in range(120)]
  names = [f'fold_{(i // 2) % 3 * 5}' for i in range(120)]  # 0, 5 and 10.
  cohort = _cohort(rows, names)
  found = _folds(cohort, protocol, folds=folds)
  assert len(found) == 3
  for part, name in zip(found, ('fold_0', 'fold_5', 'fold_10')):
    assert [c.split == 'test' for c in part.candidates] == [
      own == name for own in names
    ]
    has_validation = any(c.split == 'validation' for c in part.candidates)
    assert has_validation == (protocol == 'clean')


@pytest.mark.parametrize(
  'names,folds,sentence',
  [
    (('fold_0', 'fold_1'), 3, 'must be 2 or 0 and not 3'),
    (('train', 'test'), 2, 'must be 0 and not 2'),
    (('train', 'fold_0'), 0, 'splits fold_0, train: .* not both'),
    (('fold_0', 'fold_0'), 0, 'two folds or more'),
  ],
)
def test_folds_of_the_source_that_cannot_be(
  names: tuple[str, str], folds: int, sentence: str
) -> None:
  rows = [('ill' if i % 4 < 2 else 'well', str(i)) for i in range(120)]
  cohort = _cohort(rows, names * 60)
  with pytest.raises(UserError, match=sentence):
    _folds(cohort, folds=folds)


def test_splits_of_the_source_need_not_be_used() -> None:
  rows = [('ill' if i % 4 < 2 else 'well', str(i)) for i in range(120)]
  named = _cohort(rows, ('train', 'test') * 60)
  cohort = splits.unnamed(named)
  assert not any(c.split for c in cohort.candidates)
  assert len(_folds(cohort, folds=3)) == 3
  assert not _assign(cohort).named_splits and _assign(named).named_splits


def test_a_patient_in_two_folds_of_the_source_is_refused_when_clean() -> None:
  rows = [('ill' if i % 2 else 'well', str(i)) for i in range(118)]
  rows += [('ill', 'Smith'), ('ill', 'Smith')]
  parts = [f'fold_{i // 2 % 2}' for i in range(119)] + ['fold_0']
  cohort = _cohort(rows, parts)
  with pytest.raises(UserError, match="the group 'Smith' on both sides"):
    _folds(cohort)
  assert len(_folds(cohort, 'published')) == 2


def test_one_split_is_the_manifest_itself() -> None:
  found = _folds(_plain(30, 30))
  assert splits.by_fold(found) is found[0]


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_the_seed_decides(protocol: str) -> None:
  cohort = _plain(60, 60)
  first, again, other = (_assign(cohort, protocol, seed=s) for s in (3, 3, 4))
  assert first == again
  assert {c.id for c in first.included if c.split == 'test'} != {
    c.id for c in other.included if c.split == 'test'
  }


def test_as_many_splits_as_seeds() -> None:
  cohort = _plain(20, 20)
  tested = {
    tuple(c.id for c in _assign(cohort, seed=s).included if c.split == 'test')
    for s in range(400)
  }
  # Of C(20, 4)^2 = 23 million; of few numbers for the seed there were few.
  assert len(tested) > 390


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_only_included_candidates_get_a_split(protocol: str) -> None:
  cohort = _plain(40, 40)
  dropped = {str(i) for i in range(0, 80, 7)}
  cohort = cohort.replaced({
    c.id: c.left_out('not drawn') for c in cohort.candidates if c.id in dropped
  })
  for c in _assign(cohort, protocol).candidates:
    assert bool(c.split) == (c.id not in dropped)


_PARTS = ['train', 'train', 'validation', 'test']


def _as_named(cohort: Cohort) -> Cohort:
  return dataclasses.replace(cohort, named_splits=True)


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_splits_of_the_source_stay(protocol: str) -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  cohort = _cohort(rows, _PARTS * 4)
  assert _assign(cohort, protocol) == _as_named(cohort)


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
  assert _assign(cohort, 'published') == _as_named(
    cohort
  )  # Has no validation part.


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
  assert _assign(cohort) == _as_named(cohort)


@pytest.mark.parametrize('sides', [('train', 'test'), ('train', 'validation')])
def test_a_group_on_both_sides_is_refused_when_clean(
  sides: tuple[str, str],
) -> None:
  rows = [('ill' if i < 8 else 'well', str(i)) for i in range(16)]
  rows += [('ill', 'Smith'), ('ill', 'Smith')]
  cohort = _cohort(rows, [*_PARTS * 4, *sides])
  with pytest.raises(UserError, match="the group 'Smith' on both sides"):
    _assign(cohort)
  assert _assign(cohort, 'published') == _as_named(cohort)


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


def test_what_there_are_too_few_images_for() -> None:
  six = _plain(4, 4)
  with pytest.raises(UserError, match='8 images .* 5 folds .*split.folds'):
    _folds(six, folds=5)
  # A fold of four trains on six images, of which a fifth would validate.
  with pytest.raises(UserError) as caught:
    _folds(six, folds=4)
  assert str(caught.value) == (
    '6 training images of 6 groups (patients, or single images where none is'
    ' named) are too few for a validation part of 1/5 of them'
    ' (--config.split.validation_share), because no class has 5: more images,'
    ' of more groups, are needed.'
  )
  with pytest.raises(UserError, match='8 images .* test part .*test_share'):
    _assign(six)
  with pytest.raises(UserError, match='a test part of 1/33 of them'):
    _assign(six, test_share=0.03)


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


@pytest.mark.slow
def test_a_large_patient_is_not_always_on_the_same_side() -> None:
  """One has 30 images, some have a few, most have one."""
  sizes = [30, 12, 8, 5, *[3] * 6, *[1] * 60]
  rows = [
    ('ill' if (group + i) % 2 else 'well', f'p{group}')
    for group, size in enumerate(sizes)
    for i in range(size)
  ]
  where = Counter(
    next(c.split for c in _assign(_cohort(rows), seed=seed).included)
    for seed in range(60)
  )
  # A fifth tests, a fifth of the rest validates: 12 and 9.6 are expected.
  assert 3 <= where['test'] <= 25 and 3 <= where['validation'] <= 25
  tested = next(
    found
    for seed in range(60)
    if (found := _assign(_cohort(rows), seed=seed)).included[0].split == 'test'
  )
  assert 'are of one patient or group (p0)' in ' '.join(tested.notes)


@pytest.mark.parametrize(
  ('same', 'tested', 'told'),
  [(2, 9, False), (3, 14, True), (3, 15, False), (4, 15, True)],
)
def test_which_patients_are_large(same: int, tested: int, told: bool) -> None:
  """Three images or more, which are more than a fifth of a class."""
  groups = ['one'] * same + [f'p{i}' for i in range(tested - same)]
  rows = [('ill', group) for group in groups]
  rows += [('well', f'n{i}') for i in range(40)]
  rows += [('ill', f'q{i}') for i in range(20)]
  named = ['test'] * (tested + 20) + ['train'] * 40
  notes = ' '.join(_assign(_cohort(rows, named)).notes)
  assert (f'{same} of the {tested} test images of ill' in notes) == told


def test_the_largest_patient_of_a_class_is_told_alone() -> None:
  groups = ['a'] * 4 + ['b'] * 5 + [f'p{i}' for i in range(6)]
  rows = [('ill', group) for group in groups]
  rows += [('well', f'n{i}') for i in range(20)]
  rows += [('ill', f'q{i}') for i in range(20)]
  found = _assign(_cohort(rows, ['test'] * 25 + ['train'] * 30))
  (note,) = (n for n in found.notes if 'images of ill' in n)
  assert note.startswith('5 of the 15') and '(b)' in note


@pytest.mark.parametrize('share', [0.15, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5])
def test_the_share_is_the_one_asked_for(share: float) -> None:
  rows = [('ill' if i % 2 else 'well', str(i // 2)) for i in range(800)]
  (found,) = splits.assign(
    _cohort(rows),
    seed=0,
    protocol='clean',
    test_share=share,
    validation_share=0.2,
    folds=0,
  )
  tested = sum(c.split == 'test' for c in found.included)
  assert tested / 800 == pytest.approx(share, abs=0.01)


def _regression(numbers: Sequence[float], groups: Sequence[str]) -> Cohort:
  cohort = _cohort([(repr(float(x)), g) for x, g in zip(numbers, groups)])
  return dataclasses.replace(cohort, classes=(), task='regression')


def _tested(cohort: Cohort) -> np.ndarray:
  return np.array([
    float(c.label) for c in cohort.included if c.split == 'test'
  ])


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
def test_folds_of_a_regression_have_alike_ranges(protocol: str) -> None:
  """And keep groups whole, and test every image once."""
  rng = np.random.default_rng(3)
  months = np.repeat(rng.integers(1, 229, 120), 2) + rng.integers(0, 6, 240)
  cohort = _regression(months, [f'p{i // 2}' for i in range(240)])
  found = _folds(cohort, protocol, folds=4)
  bounds = np.quantile(months, (0.25, 0.5, 0.75))
  for part in found:
    per_quarter = np.bincount(np.searchsorted(bounds, _tested(part)))
    np.testing.assert_allclose(per_quarter, 15, atol=3)
    sides = {}
    for c in part.included:
      sides.setdefault(c.group, set()).add(c.split)
    assert all(len(names) == 1 for names in sides.values())
    wanted = {'train', 'test'}
    if protocol == 'clean':
      wanted |= {'validation'}
    assert set().union(*sides.values()) == wanted
  assert sorted(np.concatenate([*map(_tested, found)])) == sorted(months)


def test_published_regression_splits_rows() -> None:
  numbers = np.random.default_rng(0).permutation(200)
  cohort = _regression(numbers, ['one'] * 200)
  found = _assign(cohort, 'published', test_share=0.25)
  assert _counts_of_splits(found) == {'train': 150, 'test': 50}
  # Of each quarter as many: 12.5, of which two are rounded up.
  per_quarter = np.bincount((_tested(found) // 50).astype(int))
  assert sorted(per_quarter) == [12, 12, 13, 13]
  other = _assign(cohort, 'published', test_share=0.25, seed=1)
  assert set(_tested(other)) != set(_tested(found))


def _counts_of_splits(cohort: Cohort) -> dict[str, int]:
  return dict(Counter(c.split for c in cohort.included))


def test_a_clean_regression_has_a_validation_part() -> None:
  numbers = np.arange(200)
  found = _assign(_regression(numbers, [''] * 200))
  assert _counts_of_splits(found) == {
    'train': 128,
    'validation': 32,
    'test': 40,
  }


def test_a_large_patient_of_a_regression_is_told() -> None:
  groups = ['big'] * 40 + [f'p{i}' for i in range(60)]
  cohort = _regression(np.arange(100) * 37 % 100, groups)
  parts = _folds(cohort, folds=2)
  notes = ' '.join(n for part in parts for n in part.notes)
  assert '40 of the 50 test images are of one patient or group (big)' in notes
  assert 'about that one as about others' in notes
  # The manifest has those of the first fold.
  assert splits.by_fold(parts).notes == parts[0].notes != parts[1].notes


@pytest.mark.parametrize('protocol', splits.PROTOCOLS)
@pytest.mark.parametrize('n', [1, 2])
def test_too_few_images_of_a_regression(protocol: str, n: int) -> None:
  cohort = _regression(np.arange(n), ['p'] * n)
  if protocol == 'published' and n == 2:
    assert _counts_of_splits(_assign(cohort, protocol)) == {
      'train': 1,
      'test': 1,
    }
    return
  with pytest.raises(UserError, match='more images'):
    _assign(cohort, protocol)


def test_folds_with_images_of_their_own_are_all_in_the_manifest() -> None:
  """Files of features need not name the same images."""
  parts = ['train'] * 6 + ['test'] * 4
  first = _cohort([('ill' if i % 2 else 'well', '') for i in range(10)], parts)
  second = dataclasses.replace(
    first,
    candidates=tuple(
      dataclasses.replace(c, id=str(int(c.id) + 4), path=f'b{i}')
      for i, c in enumerate(first.candidates)
    ),
  )
  joined = splits.by_fold([first, second])
  assert [c.id for c in joined.candidates] == [str(i) for i in range(14)]
  assert [c.split for c in joined.candidates] == (
    ['train'] * 6 + ['fold_0'] * 4 + ['fold_1'] * 4
  )


@pytest.mark.parametrize('with_ids', [True, False])
def test_a_file_of_a_fold_that_is_there_twice_is_refused(
  tmp_path: pathlib.Path, with_ids: bool
) -> None:
  """As a folder leaves it that two machines keep alike."""
  rows = [f'{i},{"ab"[i % 2]},{i * i % 7},{i % 5}' for i in range(12)]
  for fold in range(3):
    parts = ['test' if i // 4 == fold else 'train' for i in range(12)]
    head = f'{"id" if with_ids else "0"},label,1,2,split'
    text = '\n'.join([head, *map('{},{}'.format, rows, parts)])
    (tmp_path / f'fold_{fold}.csv').write_text(text)

  def manifest() -> Cohort:
    parts = []
    for cohort in ready.read_files(f'{tmp_path}/fold_*.csv', ('a', 'b')):
      looks = {c.id: cohort.source.inspect(c.path) for c in cohort.candidates}
      inspected = {
        c.id: dataclasses.replace(c, columns=looks[c.id].columns)
        for c in cohort.candidates
      }
      parts += splits.assign(
        cohort.replaced(inspected),
        seed=0,
        protocol='published',
        test_share=0.2,
        validation_share=0.2,
        folds=0,
      )
    return splits.by_fold(parts)

  tested = Counter(c.split for c in manifest().candidates)
  assert tested.keys() >= {f'fold_{fold}' for fold in range(3)}
  shutil.copy(tmp_path / 'fold_1.csv', tmp_path / 'fold_1 (1).csv')
  with pytest.raises(UserError, match='Folds [12] and [23] of .* both test'):
    manifest()


def test_a_class_too_rare_for_all_parts_is_named() -> None:
  labels = ['a', 'b'] * 20 + ['rare']
  cohort = Cohort(
    'made up',
    sources.Files(pathlib.Path('DATA')),
    ('a', 'b', 'rare'),
    tuple(Candidate(str(i), 'x', c, '') for i, c in enumerate(labels)),
  )
  with pytest.raises(UserError, match="class 'rare': more .* have enough"):
    splits.assign(
      cohort,
      seed=0,
      protocol='clean',
      test_share=0.2,
      validation_share=0.0,
      folds=0,
    )


@pytest.mark.parametrize('number', [2, 3])
def test_of_more_than_two_classes_some_may_be_named(number: int) -> None:
  rows = [('abc'[i % number], str(i)) for i in range(12)]
  parts = ['test' if label == 'a' else 'train' for label, _ in rows]
  cohort = dataclasses.replace(
    _cohort(rows, parts), classes=tuple('abc'[:number])
  )
  with pytest.raises(UserError, match="no image of the class 'a'") as caught:
    _assign(cohort, 'published')
  assert ('--config.data.classes' in str(caught.value)) == (number == 3)
