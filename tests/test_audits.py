"""Leaks of a study, on made-up features and on real images saved again."""

import dataclasses
import pathlib

import numpy as np
from PIL import Image
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.datasets import leaks
from heterojax.datasets import odir
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.studies import audits
from heterojax.studies import samples as samples_lib


def _find(
  cohorts: list[Cohort], folds: tuple[samples_lib.Samples, ...], x: np.ndarray
) -> list[leaks.Leak]:
  """Leaks of every fold, one after the other."""
  return [
    leak
    for cohort, fold in zip(cohorts, folds, strict=True)
    for leak in audits.find_leaks(cohort, fold, x, fold.row)
  ]


def _made(parts: list[str]) -> Cohort:
  """Images of which every fourth has the pixels of the one before it."""
  candidates = tuple(
    Candidate(
      f'i{i}',
      f'{i}.png',
      'ill' if i % 3 else 'well',
      f'g{i}',
      part,
      columns=(('sha256', f'{i}'), ('pixels_sha256', f'{i - (i % 4 == 3)}')),
    )
    for i, part in enumerate(parts)
  )
  return Cohort(
    'made up', sources.Files(pathlib.Path('root')), ('ill', 'well'), candidates
  )


def _near(x: np.ndarray, cohort: Cohort, split: str) -> list[leaks.Leak]:
  """Near duplicates of one part, image by image.

  Args:
    x: of the originals, in the order of the candidates.
    cohort: whose ids end with their number.
    split: 'test' or 'validation'.
  """
  before = ('train',) if split == 'validation' else ('train', 'validation')
  # Training comes first, and then what early stopping looks at.
  others = [
    i
    for part in before
    for i, c in enumerate(cohort.candidates)
    if c.split == part
  ]
  centred = x - x[others].mean(axis=0)
  centred /= np.linalg.norm(centred, axis=1, keepdims=True)
  pixels = [dict(c.columns)['pixels_sha256'] for c in cohort.candidates]
  found = []
  for i, c in enumerate(cohort.candidates):
    if c.split == split:
      distances = [
        (1 - centred[i] @ centred[j], j)
        for j in others
        if pixels[i] != pixels[j]
      ]
      found.append((i, *min(distances)))
  return [
    leaks.Leak(
      'near_duplicate',
      split,
      f'i{i}',
      cohort.candidates[i].label,
      f'i{j}',
      pytest.approx(distance, abs=1e-5),
    )
    for i, distance, j in found
    if distance < 0.1
  ]


@pytest.mark.medium
def test_near_duplicates_of_every_fold_are_those_of_all_pairs() -> None:
  rng = np.random.default_rng(0)
  n, parts = 60, ['train', 'train', 'train', 'validation', 'test']
  cohorts = [_made([str(part) for part in rng.choice(parts, n)]) for _ in '12']
  folds = samples_lib.collect(cohorts, seed=0, factors=(2, 2))
  originals = rng.normal(size=(n, 6)) + 3
  for i in range(1, n, 4):  # Nearly the image in front of it.
    originals[i] = originals[i - 1] + 0.01 * rng.normal(size=6)
  originals[3::4] = originals[2::4]  # The same pixels are no near duplicate.
  originals = originals.astype(np.float32)
  # Pictures of copies are what no image must be compared with.
  x = originals[rng.integers(n, size=len(folds[0].pictures))]
  for own in folds:
    for i, row in zip(own.ids, own.row):
      if '+' not in i:
        x[row] = originals[int(i[1:])]
  found = _find(cohorts, folds, x)
  near = [k for k in found if k.kind == 'near_duplicate']
  exact = originals.astype(np.float64)
  assert near == [
    leak
    for cohort in cohorts
    for split in ('test', 'validation')
    for leak in _near(exact, cohort, split)
  ]
  assert len(near) > 5 and {k.split for k in near} == {'test', 'validation'}
  # All other kinds are as `leaks.find` finds them, fold by fold.
  others = [k for k in found if k.kind != 'near_duplicate']
  assert others == [k for c in cohorts for k in leaks.find(c, {})]
  assert {k.kind for k in others} == {'identical_pixels'}


@pytest.mark.medium
@pytest.mark.parametrize('dimension, told', [(5, False), (40, True)])
def test_near_duplicates_are_looked_for_where_features_can_tell(
  dimension: int, told: bool
) -> None:
  parts = ['train'] * 160 + ['test'] * 80
  cohorts = [_made(parts), _made(parts[::-1])]
  folds = samples_lib.collect(cohorts, seed=0, factors=(1, 1))
  rng = np.random.default_rng(0)
  originals = rng.normal(size=(240, dimension))
  originals[238] = originals[0] + 0.01 * rng.normal(size=dimension)
  of_id = {f'i{i}': i for i in range(240)}
  x = np.empty((240, dimension), np.float32)
  for own in folds:
    for i, row in zip(own.ids, own.row):
      x[row] = originals[of_id[i]]
  by_fold = [
    audits.FoldFeatures(cohort, own, x, own.row)
    for cohort, own in zip(cohorts, folds)
  ]
  found = audits.find_leaks_of_folds(by_fold)
  near = [(k.id, k.other) for k in found.leaks if k.kind == 'near_duplicate']
  count = leaks.count(found, cohorts[0])['near_duplicate']
  others = [k for k in found.leaks if k.kind != 'near_duplicate']
  assert others == [k for c in cohorts for k in leaks.find(c, {})]
  if told:
    assert found.unseen == ''
    assert near == [('i238', 'i0'), ('i0', 'i238')]
    assert sum(count.value.values()) == 2
  else:
    assert len(audits.find_leaks(*by_fold[0])) > len(others)
    assert near == [] and count.why == found.unseen
    assert '5.0 effective dimensions' in found.unseen


_TRAIN, _TEST, _SAVED, _COPIED = 24, 12, 5, 2


@pytest.mark.medium
def test_of_many_images_some_are_compared_and_the_others_estimated(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """Every other test image is nearly one of training; 40 of 80 are asked."""
  cohort = _made(['train'] * 160 + ['test'] * 80)
  (fold,) = samples_lib.collect([cohort], seed=0, factors=(1, 1))
  rng = np.random.default_rng(0)
  originals = rng.normal(size=(240, 40))
  originals[160::2] = originals[:40] + 0.01 * rng.normal(size=(40, 40))
  x = np.empty((240, 40), np.float32)
  for i, row in zip(fold.ids, fold.row):
    x[row] = originals[int(i[1:])]
  of_fold = audits.FoldFeatures(cohort, fold, x, fold.row)
  every = audits.find_leaks_of_folds([of_fold])
  assert every.compared is None
  assert leaks.count(every, cohort)['near_duplicate'].why == ''
  monkeypatch.setattr(audits, '_MOST_PAIRS', 160 * 40)
  some = audits.find_leaks_of_folds([of_fold])
  near = {(k.id, k.other) for k in some.leaks if k.kind == 'near_duplicate'}
  whole = {(k.id, k.other) for k in every.leaks if k.kind == 'near_duplicate'}
  assert len(whole) == 40 and near < whole
  assert some.compared == leaks.Compared(40, 80, len(near))
  # An interval of Wilson, by hand.
  z, n, share = 1.959964, 40, len(near) / 40
  middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
  half = z / (1 + z**2 / n)
  half *= np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
  why = leaks.count(some, cohort)['near_duplicate'].why
  assert why == (
    '40 of 80 test images, drawn at random, were compared with training, and of'
    f' all {80 * (middle - half):.0f} to {80 * (middle + half):.0f} are near'
    ' duplicates (95%)'
  )
  assert 80 * (middle - half) < 40 < 80 * (middle + half)


@pytest.mark.slow
@pytest.mark.parametrize('feature', ['avg', 'flatten'])
def test_real_images_that_were_saved_again_are_found(
  odir_dir: pathlib.Path, tmp_path: pathlib.Path, feature: str
) -> None:
  """Five of them as JPEG of quality 90, and two without any loss."""
  whole = odir.read(odir_dir, ('cataract', 'normal fundus'))
  by_patient = {c.group: c for c in whole.candidates}
  there = [c for c in by_patient.values() if whole.source.exists(c.path)]
  of_class = [
    [c for c in there if c.label == label][: (_TRAIN + _TEST) // 2]
    for label in whole.classes
  ]
  chosen = [c for pair in zip(*of_class) for c in pair]
  candidates = []
  for i, c in enumerate(chosen):
    data = whole.source.read(c.path)
    (tmp_path / f'{i}.jpg').write_bytes(data)
    split = 'train' if i < _TRAIN else 'test'
    candidates.append(Candidate(f'{i}', f'{i}.jpg', c.label, f'{i}', split))
  for i in range(_SAVED + _COPIED):
    with Image.open(tmp_path / f'{i}.jpg') as image:
      name, how = f'{i} again.png', {}
      if i < _SAVED:
        name, how = f'{i} again.jpg', {'quality': 90}
      image.save(tmp_path / name, **how)
    candidates.append(
      Candidate(f'{i} again', name, candidates[i].label, 'again', 'test')
    )
  cohort = selection.select(
    dataclasses.replace(
      whole, source=sources.Files(tmp_path), candidates=tuple(candidates)
    ),
    seed=0,
    balance=False,
    distinct=False,
    max_bad_share=0,
    workers=2,
  )
  folds = samples_lib.collect([cohort], seed=0, factors=(1, 1))
  plan = features.Plan(
    backbones.load('efficientnet_lite0'),
    cohort.source,
    folds[0].pictures,
    features.Extraction(feature, 224, 'keras', batch_size=4, workers=2),
    fingerprint='',
  )
  found = features.extract(plan, tmp_path / 'features')
  x, own = found.x, folds[0]
  found = _find([cohort], folds, x)
  if feature == 'flatten':
    # Averaged features of these images differ in too few dimensions to tell.
    fold = audits.FoldFeatures(cohort, own, x, own.row)
    assert audits.find_leaks_of_folds([fold]) == leaks.Found(found)
  near = {k.id: k.other for k in found if k.kind == 'near_duplicate'}
  assert near == {f'{i} again': f'{i}' for i in range(_SAVED)}
  pixels = {k.id: k.other for k in found if k.kind == 'identical_pixels'}
  assert pixels == {
    f'{i} again': f'{i}' for i in range(_SAVED, _SAVED + _COPIED)
  }
  assert not [k for k in found if k.kind in ('same_path', 'identical_file')]
