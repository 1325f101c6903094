"""Growing samples of a cohort: 100, 300, half and all of its images, say."""

from collections.abc import Sequence
import dataclasses
from fractions import Fraction
import re

from heterojax import rng
from heterojax.datasets import splits
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

Size = int | float
_WORDS = {'half': 0.5, 'all': 1.0}
_OPTION = '--config.sizes'
# Where the setting is empty.
DEFAULT = '100,300,half,all'


def parse(text: str) -> tuple[Size, ...]:
  """Reads a list of sizes.

  Args:
    text: '100,300,half,all', '(100, 300)' or '0.5,1.0': whole numbers are
      images, numbers with a point shares of the cohort.

  Returns:
    Numbers (int) and shares (float, above 0 and up to 1), as they stand there.

  Raises:
    UserError: if it holds anything else, or nothing.
  """
  words = [w.strip().lower() for w in text.strip().strip('()[]').split(',')]
  if words[-1] == '':  # As in (100,).
    words = words[:-1]
  sizes = tuple(size for size in map(_size, words) if size is not None)
  if not words or len(sizes) < len(words):
    wrong = next((word for word in words if _size(word) is None), text)
    raise UserError(
      f'{_OPTION} holds {wrong!r}, but must be numbers of images (100),'
      ' shares above 0 and up to 1 with a point (0.5), half or all,'
      ' separated by commas.'
    )
  return sizes


def _size(word: str) -> Size | None:
  if word in _WORDS:
    return _WORDS[word]
  if re.fullmatch('[0-9]{1,18}', word):
    return int(word) or None
  if re.fullmatch(r'[0-9]*\.[0-9]+|[0-9]+\.', word) and 0 < float(word) <= 1:
    return float(word)
  return None


def draw(
  cohort: Cohort, sizes: Sequence[Size], seed: int, nested: bool
) -> tuple[Cohort, ...]:
  """Draws a sample of each size from the included images.

  Every image has a place in the order of drawing by its id alone, so that
  another image more or less changes no other's place. Classes are in the
  proportion of the whole; where labels are numbers, the draw is plain.

  Args:
    cohort: selected candidates, of whatever splits.
    sizes: see `parse`; a share of n images is rounded down.
    seed: of the study.
    nested: whether a sample holds all of the smaller ones; else each is drawn
      by itself.

  Returns:
    One cohort a size, from small to large, with what was not drawn left out.
    Sizes that come to the same number are one, which a note says.

  Raises:
    UserError: if there are not so many images.
  """
  used, name = cohort.included, cohort.source.name
  wanted: dict[int, list[Size]] = {}
  for size in sizes:
    n = _number(size, len(used))
    if n > len(used):
      raise UserError(
        f'There are {len(used)} images of {name} and {_OPTION} asks for'
        f' {size}: name smaller sizes, or all.'
      )
    if not n:
      raise UserError(
        f'A share of {size} ({_OPTION}) of the {len(used)} images of {name}'
        ' is no image at all.'
      )
    wanted.setdefault(n, []).append(size)
  merged = tuple(
    f'{_OPTION} asks for {n} images {len(asked)} times'
    f' ({", ".join(map(_shown, asked))}): they are one size.'
    for n, asked in wanted.items()
    if len(asked) > 1
  )
  cohort = dataclasses.replace(cohort, notes=cohort.notes + merged)
  return tuple(
    _sample(cohort, n, seed, () if nested else (n,)) for n in sorted(wanted)
  )


def check_files(text: str, rows: Sequence[int]) -> None:
  """Raises a UserError where sizes are asked for that files do not have.

  Args:
    text: see `parse`; '' asks for none.
    rows: of each file; their numbers are the sizes.
  """
  if text and set(parse(text)) != set(rows):
    known = ', '.join(map(str, sorted(set(rows))))
    raise UserError(
      f'{_OPTION} is {text!r}, but with --config.data.files the sizes are the'
      f' numbers of rows of the files, {known}: leave out {_OPTION}, or give'
      ' it no value.'
    )


def _number(size: Size, available: int) -> int:
  if isinstance(size, int):
    return size
  # The share as it is written: 0.29 of 100 is 29 and not 28.
  return int(Fraction(repr(size)) * available)


def _shown(size: Size) -> str:
  """A size as users write it."""
  words = {share: word for word, share in _WORDS.items()}
  return str(size) if isinstance(size, int) else words.get(size, repr(size))


def _sample(
  cohort: Cohort, n: int, seed: int, stage: tuple[int, ...]
) -> Cohort:
  place = {
    c.id: rng.generator(seed, rng.Purpose.SIZE, c.id, *stage).random()
    for c in cohort.included
  }
  order = sorted(place, key=place.__getitem__)
  label = {c.id: c.label for c in cohort.included}
  members = [
    [i for i in order if label[i] == name] for name in cohort.classes
  ] or [order]
  # All classes at the same pace (Sainte-Lague): whatever their number, a larger
  # sample has no fewer of any. With two they are the nearest shares.
  turn = {
    i: (number + 0.5) / len(ids)
    for ids in members
    for number, i in enumerate(ids)
  }
  drawn = {*sorted(turn, key=turn.__getitem__)[:n]}
  reason = f'not drawn for n={n}'
  candidates = tuple(
    c.left_out(reason) if c.included and c.id not in drawn else c
    for c in cohort.candidates
  )
  return dataclasses.replace(cohort, candidates=candidates)


def of_all_parts(
  cohorts: Sequence[Cohort], numbered: Sequence[tuple[int, int]]
) -> Cohort:
  """One cohort for the manifest of all sizes and folds.

  Args:
    cohorts: with splits, from small to large and the folds of a size in order.
    numbered: (n, fold) of each.

  Returns:
    Every candidate once, included where any size has it, with a column
    `fold_at_{n}` a size: the fold that tests it (or its split, where there are
    no folds), '' where it was not drawn. Its split is that at the largest size.
  """
  folds: dict[int, list[Cohort]] = {}
  for cohort, (n, _) in zip(cohorts, numbered, strict=True):
    folds.setdefault(n, []).append(cohort)
  sizes = {n: splits.by_fold(parts) for n, parts in folds.items()}
  at = {n: {c.id: c for c in cohort.candidates} for n, cohort in sizes.items()}
  largest = [*sizes.values()][-1]
  order = dict.fromkeys(i for by_id in reversed(at.values()) for i in by_id)
  candidates = tuple(
    _over_sizes(
      {n: by_id[i] for n, by_id in at.items() if i in by_id}, tuple(at)
    )
    for i in order
  )
  return dataclasses.replace(largest, candidates=candidates)


def _over_sizes(
  by_size: dict[int, Candidate], sizes: Sequence[int]
) -> Candidate:
  """A candidate with its column for each size.

  Args:
    by_size: what became of it at the sizes whose data name it.
    sizes: all, from small to large.
  """
  drawn = {n: c for n, c in by_size.items() if c.included}
  # That of the largest size says what became of it.
  last = [*(drawn or by_size).values()][-1]
  at = tuple(
    (f'fold_at_{n}', drawn[n].split if n in drawn else '') for n in sizes
  )
  split = drawn[sizes[-1]].split if sizes[-1] in drawn else ''
  return dataclasses.replace(last, split=split, columns=last.columns + at)
