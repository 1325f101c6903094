"""Selection: what is used, what is not and why; the manifest of both."""

from collections.abc import Iterator
import contextlib
import dataclasses
import hashlib
import pathlib
import tempfile

import hypothesis
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import odir
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets import tables
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import manifest_csv
from heterojax.datasets.manifest import parse_csv
from heterojax.errors import UserError


def _write_image(path: pathlib.Path, level: int) -> None:
  """A 3 x 2 image; equal levels are equal bytes."""
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((2, 3, 3), level, np.uint8)).save(path, format='BMP')


def _cohort(
  root: pathlib.Path, positives: int, negatives: int, **changes: str
) -> Cohort:
  """Distinct images; `changes` say what is wrong with which, as p3='empty'."""
  names = [f'p{i}' for i in range(positives)]
  names += [f'n{i}' for i in range(negatives)]
  candidates = []
  for level, name in enumerate(names):
    path = root / f'{name}.bmp'
    _write_image(path, level)
    match changes.get(name, ''):
      case 'missing':
        path.unlink()
      case 'empty':
        path.write_bytes(b'')
      case 'broken':
        path.write_bytes(b'no image')
      case other if other:
        path.write_bytes((root / f'{other}.bmp').read_bytes())
    label = 'ill' if name[0] == 'p' else 'well'
    candidates.append(Candidate(name, f'{name}.bmp', label, name))
  source = sources.Files(root)
  return Cohort('made up', source, ('ill', 'well'), tuple(candidates))


def _select(cohort: Cohort, **options) -> Cohort:
  options = {
    'seed': 0,
    'balance': True,
    'distinct': False,
    'max_bad_share': 0.1,
    'workers': 2,
    **options,
  }
  return selection.select(cohort, **options)


def _included(cohort: Cohort, label: str) -> set[str]:
  return {c.id for c in cohort.included if c.label == label}


def _reasons(cohort: Cohort) -> dict[str, str]:
  return {c.id: c.reason for c in cohort.candidates if not c.included}


def test_as_many_negatives_as_positives_are_drawn(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 5, 40)
  first, again, other = (_select(cohort, seed=seed) for seed in (0, 0, 1))
  assert _included(first, 'ill') == {f'p{i}' for i in range(5)}
  assert len(_included(first, 'well')) == 5
  assert first == again
  assert _included(first, 'well') != _included(other, 'well')
  assert set(_reasons(first).values()) == {'not drawn'}
  assert len(_reasons(first)) == 35


def test_every_negative_can_be_drawn(tmp_path: pathlib.Path) -> None:
  cohort = _cohort(tmp_path, 2, 6)
  drawn = [_included(_select(cohort, seed=s), 'well') for s in range(30)]
  assert set().union(*drawn) == {f'n{i}' for i in range(6)}


def test_classes_that_cannot_be_balanced_are_told(
  tmp_path: pathlib.Path,
) -> None:
  copies = {f'n{i}': 'n0' for i in range(3, 6)}
  found = _select(_cohort(tmp_path, 5, 6, **copies), distinct=True)
  assert len(_included(found, 'ill')) == 5
  assert len(_included(found, 'well')) == 3
  said = (
    "The classes are not balanced: 3 of 'well' can be used, and 5 of another"
  )
  assert found.notes[-1] == f'{said} class.'
  assert _select(_cohort(tmp_path, 5, 6)).notes == ()


def test_without_balance_all_are_used(tmp_path: pathlib.Path) -> None:
  found = _select(_cohort(tmp_path, 2, 9), balance=False)
  assert len(found.included) == 11


def test_fewer_negatives_than_positives(tmp_path: pathlib.Path) -> None:
  found = _select(_cohort(tmp_path, 5, 3))
  assert len(_included(found, 'ill')) == 5
  assert len(_included(found, 'well')) == 3


def test_unusable_positives_are_not_matched(tmp_path: pathlib.Path) -> None:
  cohort = _cohort(tmp_path, 6, 20, p0='missing', p3='empty', p5='broken')
  found = _select(cohort, max_bad_share=0.5)
  assert len(_included(found, 'ill')) == len(_included(found, 'well')) == 3
  assert {k: v for k, v in _reasons(found).items() if k[0] == 'p'} == {
    'p0': 'file not found',
    'p3': 'the file is empty',
    'p5': 'not an image of a known format',
  }


def test_unusable_negatives_are_replaced_by_others(
  tmp_path: pathlib.Path,
) -> None:
  bad = {f'n{i}': 'broken' for i in range(6)}
  bad |= {f'n{i}': 'missing' for i in range(6, 10)}
  found = _select(_cohort(tmp_path, 6, 16, **bad), max_bad_share=0.5)
  # Only n10 to n15 can be used.
  assert _included(found, 'well') == {f'n{i}' for i in range(10, 16)}
  reasons = _reasons(found)
  # A file that is not there is known without drawing it; a broken one is not.
  assert all(reasons[f'n{i}'] == 'file not found' for i in range(6, 10))
  assert {reasons[f'n{i}'] for i in range(6)} <= {
    'not an image of a known format',
    'not drawn',
  }


def test_bad_share_is_over_drawn_rows(tmp_path: pathlib.Path) -> None:
  """Files that are missing among undrawn negatives do not count."""
  missing = {f'n{i}': 'missing' for i in range(30)}
  cohort = _cohort(tmp_path, 4, 40, **missing)
  assert len(_select(cohort, max_bad_share=0).included) == 8
  with pytest.raises(UserError):
    _select(cohort, balance=False, max_bad_share=0.6)


def test_bad_share_at_its_limit(tmp_path: pathlib.Path) -> None:
  """29 of 100 is 0.29, though 0.29 x 100 is below 29 in floating point."""
  missing = {f'p{i}': 'missing' for i in range(29)}
  cohort = _cohort(tmp_path, 60, 40, **missing)
  assert len(_select(cohort, balance=False, max_bad_share=0.29).included) == 71
  with pytest.raises(UserError):
    _select(cohort, balance=False, max_bad_share=0.28)


def test_of_a_long_reason_ninety_characters_are_said(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 1, 1)
  bad = [
    dataclasses.replace(c, included=False, reason='w' * 200)
    for c in cohort.candidates
  ]
  with pytest.raises(UserError) as caught:
    selection._check_bad_share(cohort, bad, 0)
  assert f'({"w" * 90})' in str(caught.value)


@pytest.mark.parametrize('bad', [1, 2, 3, 4, 10])
def test_the_share_that_the_error_advises_is_enough(
  tmp_path: pathlib.Path, bad: int
) -> None:
  names = [f'{c}{i}' for i in range(6) for c in 'pn'][:bad]
  cohort = _cohort(tmp_path, 6, 6, **dict.fromkeys(names, 'missing'))
  with pytest.raises(UserError) as caught:
    _select(cohort, balance=False, max_bad_share=0)
  text = str(caught.value)
  assert f'{bad} of 12 images' in text
  assert 'p0.bmp (file not found)' in text and str(tmp_path) in text
  advised = float(text.split('max_bad_share=')[1].split()[0])
  assert bad / 12 <= advised < bad / 12 + 0.01
  _select(cohort, balance=False, max_bad_share=advised)


def test_three_that_cannot_be_used_are_named(tmp_path: pathlib.Path) -> None:
  wrong = {'p0': 'missing', 'p1': 'missing', 'n0': 'broken', 'n1': 'broken'}
  with pytest.raises(UserError) as caught:
    _select(_cohort(tmp_path, 4, 4, **wrong), balance=False, max_bad_share=0)
  assert str(caught.value).endswith(
    ', such as p0.bmp (file not found), p1.bmp (file not found), n0.bmp (not an'
    ' image of a known format): mend them, or allow it with'
    ' --config.data.max_bad_share=0.50 or more.'
  )


def test_where_all_are_missing_they_lie_elsewhere(
  tmp_path: pathlib.Path,
) -> None:
  wrong = dict.fromkeys(('p0', 'n0'), 'missing')
  with pytest.raises(UserError) as caught:
    _select(_cohort(tmp_path, 1, 1, **wrong), balance=False)
  assert str(caught.value).endswith(
    ': say where they lie with --config.data.images=FOLDER.'
  )


@pytest.mark.parametrize(
  ('classes', 'needed'),
  [
    (('ill', 'well'), 'two classes.'),
    (('ill', 'well', 'old'), 'all classes that --config.data.classes names.'),
  ],
)
def test_what_a_study_needs_is_said(
  tmp_path: pathlib.Path, classes: tuple[str, ...], needed: str
) -> None:
  cohort = _cohort(tmp_path, 2, 2, n0='broken', n1='broken')
  cohort = dataclasses.replace(cohort, classes=classes)
  with pytest.raises(UserError) as caught:
    _select(cohort, balance=False, max_bad_share=1)
  assert str(caught.value).endswith(
    f"no usable image of the class 'well': a study needs {needed}"
  )


def test_what_is_left_out_is_counted_in_the_log(
  tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
  cohort = _cohort(tmp_path, 3, 3, p2='missing', n2='missing')
  with caplog.at_level('INFO'):
    _select(cohort, balance=False, max_bad_share=1)
  assert '6 candidates, 4 used.' in caplog.messages
  assert [m for m in caplog.messages if m.startswith('Left out')] == [
    'Left out: 2 (file not found)'
  ]


@pytest.mark.parametrize(
  ('copies', 'words'),
  [
    ({'n1': 'p1'}, '1 image is filed'),
    ({'n1': 'p1', 'n2': 'p2'}, '2 images are filed'),
  ],
)
def test_copies_that_contradict_are_counted(
  tmp_path: pathlib.Path, copies: dict[str, str], words: str
) -> None:
  cohort = _cohort(tmp_path, 4, 4, **copies)
  found = _select(cohort, balance=False, distinct=True)
  assert len(found.notes) == 2
  assert all(note.startswith(words) for note in found.notes)
  assert 'both classes; the copy called ill is used' in found.notes[0]


def test_same_bytes_are_one_image_where_distinct(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 3, 3, p2='p0', n1='p1', n2='n0')
  assert len(_select(cohort, balance=False).included) == 6
  found = _select(cohort, balance=False, distinct=True, max_bad_share=0)
  assert _reasons(found) == {
    'p2': 'same image as p0',
    # A row that contradicts another says so.
    'n1': 'same image as p1, which is labelled ill',
    'n2': 'same image as n0',
  }
  assert len(found.notes) == 2
  assert found.notes[0].startswith('1 image is filed under both classes;')
  # Every made-up candidate is a patient of its own.
  assert found.notes[1].startswith('3 images are filed under two patients')


def test_names_like_our_own_words_do_no_harm(tmp_path: pathlib.Path) -> None:
  cohort = _cohort(tmp_path, 3, 3, p2='p0')
  odd = 'p0, which is labelled x'
  named = tuple(
    dataclasses.replace(c, id=odd) if c.id == 'p0' else c
    for c in cohort.candidates
  )
  cohort = dataclasses.replace(cohort, candidates=named)
  found = _select(cohort, balance=False, distinct=True)
  assert _reasons(found) == {'p2': f'same image as {odd}'}
  assert [note[:7] for note in found.notes] == ['1 image']


def test_same_pixels_in_another_file_are_one_image_where_distinct(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 3, 3)
  for copy, shown in (('p2', 'p0'), ('n1', 'p1')):
    with Image.open(tmp_path / f'{shown}.bmp') as image:
      image.save(tmp_path / f'{copy}.bmp', format='PNG')  # Named as before.
  files = {
    c.id: dict(c.columns) for c in _select(cohort, balance=False).included
  }
  assert len(files) == 6
  assert len({own['sha256'] for own in files.values()}) == 6
  assert len({own['pixels_sha256'] for own in files.values()}) == 4
  found = _select(cohort, balance=False, distinct=True, max_bad_share=0)
  assert _reasons(found) == {
    'p2': 'same image as p0',
    'n1': 'same image as p1, which is labelled ill',
  }


class _Rows:
  """A source of what are no images: only content has a digest."""

  name = 'table'

  def exists(self, path: str) -> bool:
    return True

  def inspect(self, path: str) -> sources.Inspection:
    if path == 'bad':
      return sources.Inspection('not finite')
    return sources.Inspection('', (('sha256', path[0]),))


def test_what_are_no_images_are_told_apart_by_their_content() -> None:
  candidates = tuple(
    Candidate(path, path, label, '')
    for path, label in (
      ('a', 'ill'),
      ('a again', 'ill'),
      ('b', 'ill'),
      ('c', 'well'),
      ('bad', 'well'),
    )
  )
  cohort = Cohort('x', _Rows(), ('ill', 'well'), candidates)
  found = _select(cohort, balance=False, distinct=True, max_bad_share=0.2)
  assert _reasons(found) == {'a again': 'same image as a', 'bad': 'not finite'}
  assert found.candidates[0].columns == (('sha256', 'a'),)
  with pytest.raises(UserError, match=r'1 of 5 images of table .* bad \(not'):
    _select(cohort, balance=False, max_bad_share=0.1)


def test_two_rows_of_one_file_are_one_image_where_distinct(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 2, 2)
  twice = Candidate('again', 'p0.bmp', 'ill', 'p0')
  cohort = dataclasses.replace(cohort, candidates=(*cohort.candidates, twice))
  assert len(_select(cohort).included) == 5
  found = _select(cohort, distinct=True)
  assert _reasons(found) == {'again': 'same image as p0'}


def test_duplicate_negatives_are_drawn_on(tmp_path: pathlib.Path) -> None:
  same = {f'n{i}': 'n0' for i in range(1, 10)}
  found = _select(_cohort(tmp_path, 4, 13, **same), distinct=True)
  digests = [dict(c.columns)['sha256'] for c in found.included]
  assert len(_included(found, 'well')) == 4
  assert len(set(digests)) == len(digests) == 8


@pytest.mark.parametrize('label', ['ill', 'well'])
def test_an_empty_class_is_named(tmp_path: pathlib.Path, label: str) -> None:
  bad = {f'{"p" if label == "ill" else "n"}{i}': 'empty' for i in range(3)}
  for cohort in (
    _cohort(tmp_path / 'a', 3, 3, **bad),
    _cohort(tmp_path / 'b', 3 * (label != 'ill'), 3 * (label != 'well')),
  ):
    for balance in (True, False):
      with pytest.raises(UserError, match=f"of the class '{label}'"):
        _select(cohort, balance=balance, max_bad_share=1)


def test_a_class_of_copies_has_the_right_reason(tmp_path: pathlib.Path) -> None:
  same = {f'n{i}': 'p0' for i in range(3)}
  cohort = _cohort(tmp_path, 3, 3, **same)
  with pytest.raises(UserError, match="All 3 usable .* 'well' .* are copies"):
    _select(cohort, distinct=True)
  assert len(_select(cohort, distinct=False).included) == 6


def test_the_two_classes_must_differ(tmp_path: pathlib.Path) -> None:
  one = dataclasses.replace(_cohort(tmp_path, 3, 3), classes=('ill', 'ill'))
  with pytest.raises(UserError, match='must differ'):
    _select(one)


def test_what_the_reader_left_out_stays_left_out(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 3, 3)
  first, *others = cohort.candidates
  cohort = cohort.replaced({first.id: first.left_out('the reader said so')})
  found = _select(cohort, balance=False)
  assert found.candidates[0] == first.left_out('the reader said so')
  assert [c.id for c in found.included] == [c.id for c in others]


@pytest.mark.parametrize('balance', [True, False])
@pytest.mark.parametrize('name', ['x' * 300, 'a\0b', '', '.', 'p0.bmp/inside'])
def test_paths_that_cannot_be_files(
  tmp_path: pathlib.Path, name: str, balance: bool
) -> None:
  cohort = _cohort(tmp_path, 3, 3)
  odd = Candidate('odd', name, 'well', 'odd')
  cohort = dataclasses.replace(cohort, candidates=(*cohort.candidates, odd))
  found = _select(cohort, balance=balance, max_bad_share=0.5)
  assert _reasons(found)['odd'] and len(found.included) == 6


def test_size_and_digests_become_columns(tmp_path: pathlib.Path) -> None:
  found = _select(_cohort(tmp_path, 1, 1))
  values = dict(found.candidates[0].columns)
  assert list(values) == [
    'width',
    'height',
    'format',
    'bit_depth',
    'minimum_value',
    'mean_value',
    'maximum_value',
    'sha256',
    'pixels_sha256',
  ]
  assert (values['width'], values['height']) == ('3', '2')
  data = (tmp_path / 'p0.bmp').read_bytes()
  assert values['sha256'] == hashlib.sha256(data).hexdigest()
  assert len(values['pixels_sha256']) == 64


@pytest.mark.parametrize('workers', [1, 3, 16])
def test_workers_change_nothing(tmp_path: pathlib.Path, workers: int) -> None:
  cohort = _cohort(tmp_path, 12, 30, p3='p0', n2='broken', n4='missing')
  options = {'distinct': True, 'max_bad_share': 0.5}
  assert _select(cohort, workers=workers, **options) == _select(
    cohort, **options
  )


@contextlib.contextmanager
def _folder() -> Iterator[pathlib.Path]:
  with tempfile.TemporaryDirectory() as folder:
    yield pathlib.Path(folder)


_KINDS = st.one_of(st.sampled_from(['missing', 'empty']), st.integers(0, 3))
_CELLS = st.text(st.sampled_from('ab,"\'\n\r;é😀 '), max_size=6)


@hypothesis.given(
  st.lists(
    st.tuples(st.sampled_from(['ill', 'well', 'other']), _KINDS, _CELLS),
    max_size=14,
  ),
  st.booleans(),
  st.booleans(),
  st.integers(0, 3),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_every_candidate_is_in_the_manifest_once(
  made: list[tuple[str, str | int, str]],
  balance: bool,
  distinct: bool,
  seed: int,
) -> None:
  """Kinds that are numbers are images; equal numbers are equal bytes."""
  with _folder() as root:
    candidates = []
    for i, (label, kind, cell) in enumerate(made):
      path = root / f'{i}.bmp'
      if kind == 'empty':
        path.write_bytes(b'')
      elif kind != 'missing':
        _write_image(path, kind)
      candidate = Candidate(
        f'{i}{cell}', path.name, label, cell, columns=(('note', cell),)
      )
      if label == 'other':
        candidate = candidate.left_out('another label')
      candidates.append(candidate)
    cohort = Cohort(
      'x', sources.Files(root), ('ill', 'well'), tuple(candidates)
    )
    usable = {
      name: [k for own, k, _ in made if own == name and not isinstance(k, str)]
      for name in ('ill', 'well')
    }
    if distinct:
      usable['ill'] = set(usable['ill'])
      usable['well'] = set(usable['well']) - usable['ill']
    try:
      found = _select(
        cohort,
        balance=balance,
        distinct=distinct,
        seed=seed,
        max_bad_share=1,
      )
    except UserError:
      assert not usable['ill'] or not usable['well']
      return
  wanted = len(usable['well'])
  if balance:
    wanted = min(wanted, len(usable['ill']))
  assert len(_included(found, 'ill')) == len(usable['ill'])
  assert len(_included(found, 'well')) == wanted > 0
  assert all(c.included != bool(c.reason) for c in found.candidates)
  rows = parse_csv(''.join(manifest_csv(found)))
  assert [row['id'] for row in rows] == [c.id for c in candidates]
  for row, candidate, (label, kind, cell) in zip(rows, found.candidates, made):
    assert row['included'] == ('true' if candidate.included else 'false')
    assert (row['label'], row['group'], row['note']) == (label, cell, cell)
    assert row['reason'] == candidate.reason
    assert bool(row['sha256']) == candidate.included
    if candidate.included:
      assert isinstance(kind, int) and label != 'other'


def test_the_manifest_keeps_odd_names(tmp_path: pathlib.Path) -> None:
  cells = ('a,b', 'say "no"', 'two\nlines', 'two\r\nlines', 'old\rmac', '，é')
  cohort = Cohort(
    'x',
    sources.Files(tmp_path),
    ('ill', 'well'),
    tuple(
      Candidate(str(i), cell, cell, cell, columns=((f'own {i}', cell),))
      for i, cell in enumerate(cells)
    ),
  )
  path = tmp_path / 'manifest.csv'
  path.write_bytes(''.join(manifest_csv(cohort)).encode())
  rows = tables.read(path).rows
  assert list(rows[0]) == [
    'id',
    'path',
    'label',
    'group',
    'split',
    'included',
    'reason',
    *(f'own {i}' for i in range(6)),
  ]
  for i, (row, cell) in enumerate(zip(rows, cells, strict=True)):
    assert row['path'] == row['label'] == row['group'] == cell
    assert [row[f'own {j}'] for j in range(6)] == [
      cell if i == j else '' for j in range(6)
    ]


def test_the_real_subset_by_the_papers_rule(odir_dir: pathlib.Path) -> None:
  """A tenth of the rows, so that it takes a moment only."""
  cohort = odir.read(odir_dir, ('cataract', 'normal fundus'))
  some = tuple(c for c in cohort.candidates if int(c.group) % 10 == 0)
  cohort = dataclasses.replace(cohort, candidates=some)
  positives = [c for c in some if c.label == 'cataract']
  there = [c for c in positives if (odir_dir / c.path).is_file()]
  published = _select(cohort)
  assert len(_included(published, 'cataract')) == len(there)
  assert len(published.included) == 2 * len(there)
  clean = _select(cohort, distinct=True)
  eyes = {c.path for c in there}
  assert len(_included(clean, 'cataract')) == len(eyes) < len(there)
  assert len(clean.included) == 2 * len(eyes)


def _numbered(cohort: Cohort, **labels: str) -> Cohort:
  """For regression; every image its own number, but for `labels`."""
  candidates = tuple(
    dataclasses.replace(c, label=labels.get(c.id, str(i)))
    for i, c in enumerate(cohort.candidates)
  )
  return dataclasses.replace(
    cohort, classes=(), candidates=candidates, task='regression'
  )


@pytest.mark.parametrize('balance', [True, False])
def test_a_regression_uses_every_image(
  tmp_path: pathlib.Path, balance: bool
) -> None:
  cohort = _numbered(_cohort(tmp_path, 20, 5, p3='missing', n1='broken'))
  found = _select(cohort, balance=balance)
  assert _reasons(found).keys() == {'p3', 'n1'}
  assert [c.label for c in found.candidates] == [str(i) for i in range(25)]
  assert all('pixels_sha256' in dict(c.columns) for c in found.included)
  with pytest.raises(UserError, match='2 of 25 images'):
    _select(cohort, max_bad_share=0.07)


def test_copies_with_two_numbers_are_told(tmp_path: pathlib.Path) -> None:
  cohort = _numbered(_cohort(tmp_path, 6, 0, p4='p1', p5='p2'), p5='2')
  found = _select(cohort, distinct=True)
  assert _reasons(found) == {
    'p4': 'same image as p1, which is labelled 1',
    'p5': 'same image as p2',
  }
  assert (
    '1 image is filed under two numbers; the first is used' in (found.notes[0])
  )


def test_one_number_is_nothing_to_learn(tmp_path: pathlib.Path) -> None:
  cohort = _numbered(_cohort(tmp_path, 3, 0), p0='7', p1='7', p2='7')
  with pytest.raises(UserError, match='have the number 7: a study needs'):
    _select(cohort)
  same = {f'p{i}': 'p0' for i in range(1, 4)}
  copies = _numbered(
    _cohort(tmp_path / 'same', 4, 0, **same), p0='7', p1='8', p2='9', p3='7'
  )
  with pytest.raises(
    UserError, match='3 of 4 usable .* has the number 7 alone'
  ):
    _select(copies, distinct=True)
  nobody = cohort.replaced({c.id: c.left_out('x') for c in cohort.candidates})
  with pytest.raises(UserError, match='no usable image with a number'):
    _select(nobody)


def _two_valued(root: pathlib.Path, names: list[str]) -> None:
  for seed, name in enumerate(names):
    values = np.random.default_rng(seed).integers(0, 2, (6, 5, 1)) * 255
    pixels = np.repeat(values.astype(np.uint8), 3, axis=-1)
    Image.fromarray(pixels).save(root / name, format='BMP')


def test_pictures_of_two_values_are_left_out_with_a_note(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 3, 3)
  masks = [c.path for c in cohort.candidates if c.id in ('p1', 'n0', 'n2')]
  _two_valued(tmp_path, masks)
  assert len(_select(cohort).included) == 6
  cohort = dataclasses.replace(cohort, masks_are_left_out=True)
  # They are no broken images, of which none is allowed.
  selected = _select(cohort, balance=False, max_bad_share=0.0)
  assert {c.path: c.reason for c in selected.candidates if c.reason} == (
    dict.fromkeys(masks, 'a picture of two values, as masks are')
  )
  assert selected.notes == (
    'Pictures of two values alone, as masks have, are left out: 3'
    ' (--config.data.masks=True uses them).',
  )


def test_a_class_of_two_values_is_asked_for(tmp_path: pathlib.Path) -> None:
  cohort = _cohort(tmp_path, 2, 3)
  cohort = dataclasses.replace(cohort, masks_are_left_out=True)
  _two_valued(tmp_path, [c.path for c in cohort.candidates[:2]])
  with pytest.raises(UserError) as caught:
    _select(cohort)
  text = str(caught.value)
  assert text.startswith('All 2 usable pictures of the class')
  assert 'give --config.data.masks=True' in text


def test_several_classes_are_as_many_as_the_rarest(
  tmp_path: pathlib.Path,
) -> None:
  cohort = _cohort(tmp_path, 9, 14, n0='broken')
  third = {'n1', 'n2', 'n3', 'n4', 'n5'}
  cohort = dataclasses.replace(
    cohort,
    classes=('ill', 'well', 'old'),
    candidates=tuple(
      dataclasses.replace(c, label='old') if c.id in third else c
      for c in cohort.candidates
    ),
  )
  found = _select(cohort, balance=True, max_bad_share=1.0)
  assert [len(_included(found, label)) for label in found.classes] == [5, 5, 5]
  assert set(_reasons(found).values()) <= {
    'not drawn',
    _reasons(_select(cohort, max_bad_share=1.0))['n0'],
  }
  every = _select(cohort, balance=False, max_bad_share=1.0)
  assert [len(_included(every, n)) for n in every.classes] == [9, 8, 5]
  # Another seed draws others.
  again = _select(cohort, balance=True, max_bad_share=1.0, seed=1)
  assert _included(again, 'ill') != _included(found, 'ill')
