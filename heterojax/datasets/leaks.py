"""What a part of the data shares with the part that trains on it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import math
from typing import NamedTuple

from scipy import special
from scipy import stats

from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly

NEAR = 'near_duplicate'
# Cosine distance of centred features, which is about 1 between two images of a
# data set. On fundus photographs it finds copies that were saved again or made
# brighter (at most 0.05), and hardly any two that are known to differ.
_NEAR_DISTANCE = 0.1
# So often chance alone may bring an image as near to one of training.
_MOST_BY_CHANCE = 1e-3


class Leak(NamedTuple):
  """One image and an image of training that it has something in common with.

  Attributes:
    kind: one of `same_path`, `identical_file`, `identical_pixels`,
      `near_duplicate` and `shared_group`.
    split: of the image: 'test' or 'validation'.
    id: of the image.
    label: its class or number.
    other: id of the first such image of training.
    distance: cosine distance of the two in feature space; None but for near
      duplicates.
  """

  kind: str
  split: str
  id: str
  label: str
  other: str
  distance: float | None = None


class Nearest(NamedTuple):
  """The nearest image of training with other pixels, for every row asked.

  Attributes:
    other: id to id of that image.
    distance: id to cosine distance of the centred features.
  """

  other: Mapping[str, str]
  distance: Mapping[str, float]


class Compared(NamedTuple):
  """Test images that were compared with training, drawn from more.

  Attributes:
    number: of them.
    of: how many there are.
    near: how many of them are near duplicates.
  """

  number: int
  of: int
  near: int

  @property
  def sentence(self) -> str:
    """What that says of all."""
    test = stats.binomtest(self.near, self.number)
    low, high = test.proportion_ci(method='wilson')
    return (
      f'{self.number:,} of {self.of:,} test images, drawn at random, were'
      f' compared with training, and of all {low * self.of:,.0f} to'
      f' {high * self.of:,.0f} are near duplicates (95%)'
    )


class Found(NamedTuple):
  """The leaks of all folds.

  Attributes:
    leaks: every one.
    unseen: why near duplicates were not looked for; '' where they were.
    compared: those of all folds; None where each image was.
  """

  leaks: list[Leak]
  unseen: str = ''
  compared: Compared | None = None


def by_chance(dimension: float, n: int) -> float:
  """How likely an image is as near as a copy to one of n others by chance.

  For directions that are drawn at random: `(cos + 1) / 2` of two of them has
  the beta distribution with both parameters `(dimension - 1) / 2`.

  Args:
    dimension: at least 1, of the features, see `cluster.effective_dimension`.
    n: images of training.
  """
  if math.isinf(dimension):
    return 0.0
  half = max(dimension - 1, 1e-9) / 2
  pair = float(special.betainc(half, half, _NEAR_DISTANCE / 2))
  return -math.expm1(n * math.log1p(-pair))


def why_unseen(dimension: float, n: int) -> str:
  """Why near duplicates cannot be told in these features; '' if they can.

  Args:
    dimension: see `by_chance`.
    n: see there.
  """
  chance = by_chance(dimension, n)
  if chance <= _MOST_BY_CHANCE:
    return ''
  return (
    f'the features differ in {dimension:.1f} effective dimensions, in which'
    f' chance alone makes {100 * chance:.3g}% look like a copy of one of the'
    f' {n} that training has'
  )


def _column(name: str) -> Callable[[Candidate], str]:
  return lambda c: dict(c.columns).get(name, '')


_SAME = {
  'same_path': lambda c: c.path,
  'identical_file': _column('sha256'),
  'identical_pixels': _column('pixels_sha256'),
  'shared_group': lambda c: c.group,
}


def sides(
  cohort: Cohort,
) -> Iterator[tuple[str, list[Candidate], list[Candidate]]]:
  """(name, its candidates, those that trained before it) of each held-out part.

  Early stopping chooses by the validation part, so that for the test set it is
  a part of training.
  """
  used = cohort.included
  of = {
    split: [c for c in used if c.split == split]
    for split in ('train', 'validation', 'test')
  }
  yield 'test', of['test'], of['train'] + of['validation']
  if of['validation']:
    yield 'validation', of['validation'], of['train']


def find(cohort: Cohort, nearest: Mapping[str, Nearest]) -> list[Leak]:
  """Every image of a held-out part that training has seen, kind by kind.

  Args:
    cohort: selected and split.
    nearest: for each held-out part; {} where features are not compared.

  Returns:
    One entry per image and kind. An image with the very pixels of another is
    no near duplicate of it.
  """
  leaks = []
  for split, held_out, training in sides(cohort):
    for kind, of in _SAME.items():
      seen: dict[str, str] = {}
      for c in training:
        seen.setdefault(of(c), c.id)
      seen.pop('', None)  # Unknown is not the same.
      leaks += [
        Leak(kind, split, c.id, c.label, seen[of(c)])
        for c in held_out
        if of(c) in seen
      ]
    if split in nearest:
      other, distance = nearest[split]
      leaks += [
        Leak(NEAR, split, c.id, c.label, other[c.id], distance[c.id])
        for c in held_out
        if distance.get(c.id, math.inf) < _NEAR_DISTANCE
      ]
  return leaks


def count(
  found: Found, cohort: Cohort
) -> dict[str, Partly[Mapping[str, int]] | Missing]:
  """`results.json`'s `leaks`.

  Args:
    found: of one split of the cohort, or of all its folds together.
    cohort: for the classes and what is known of its images.

  Returns:
    For each kind, by class (or of `all` images, where labels are numbers), the
    number of test images of which training has something (validation included,
    where it is not the test set itself); under `validation_<kind>` the same of
    the validation part against training, where it is not zero. Where some
    images name no group, its count is a lower bound, and the reason is there.
  """
  used = cohort.included
  nameless = sum(not c.group for c in used)
  bound, unknown = '', {}
  if not all(map(_column('pixels_sha256'), used)):
    unknown['identical_pixels'] = 'the data are not images'
  if nameless:
    bound = f'{nameless} of {len(used)} images name no patient or group'
  if nameless == len(used):
    unknown['shared_group'] = 'the data name no patient or group'
  if found.unseen:
    unknown[NEAR] = found.unseen
  bounds = {
    'shared_group': bound,
    NEAR: found.compared.sentence if found.compared else '',
  }
  counts: dict[str, Partly[Mapping[str, int]] | Missing] = {}
  for kind in (*_SAME, NEAR):
    if kind in unknown:
      counts[kind] = Missing(unknown[kind])
      continue
    for split in ('test', 'validation'):
      of_kind = [k for k in found.leaks if (k.kind, k.split) == (kind, split)]
      name = kind if split == 'test' else f'validation_{kind}'
      if of_kind or split == 'test':
        of_class = {
          label: sum(k.label == label for k in of_kind)
          for label in cohort.classes
        }
        counts[name] = Partly(
          of_class or {'all': len(of_kind)}, bounds.get(name, '')
        )
  return counts


def leaks_csv(leaks: Sequence[Leak]) -> str:
  """Every leak, so that it can be looked at."""
  rows = [['' if v is None else v for v in leak] for leak in leaks]
  return csv_text(list(Leak._fields), rows)
