"""Changes that no test can see, and why: the outcome is the same."""

import pathlib
from typing import NamedTuple

from mutation import mutants


class Equivalent(NamedTuple):
  """One change that changes nothing.

  Attributes:
    path: of the module, relative to the package.
    line: its text, without the blanks around it.
    what: as `Mutant.what`.
    why: the reason.
  """

  path: str
  line: str
  what: str
  why: str


_CONTENT = 'only how many there are is read, never what they hold'
_EMPTY = 'what it divides is 0 there, and is replaced'

KNOWN = (
  Equivalent(
    'datasets/splits.py',
    'split = splitter.split(np.zeros(len(rows)), labels, units)',
    'np.zeros -> np.ones',
    _CONTENT,
  ),
  Equivalent(
    'datasets/selection.py',
    'size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)',
    'len(paths) // (8 * self._workers) -> len(paths) * (8 * self._workers)',
    'parts of another size hold the same images',
  ),
  Equivalent(
    'datasets/selection.py',
    'for part, looks in zip(parts, found, strict=True):',
    'True -> False',
    'both have the same length',
  ),
  Equivalent(
    'datasets/selection.py',
    'for path, look in zip(part, looks, strict=True):',
    'True -> False',
    'both have the same length',
  ),
  Equivalent(
    'datasets/splits.py',
    'for stratum, number in zip(members, numbers, strict=True):',
    'True -> False',
    'both have the same length',
  ),
  Equivalent(
    'cluster/matching.py',
    'reference = np.argmax(np.round(total, 9))',
    '9 -> 10',
    'sums of the same numbers differ in the fifteenth digit',
  ),
  Equivalent(
    'cluster/matching.py',
    'total = np.take_along_axis(alike, new[..., None],'
    ' axis=-1).sum(axis=(1, 2, 3))',
    'np.take_along_axis(alike, new[..., None], axis=-1).sum ->'
    ' np.take_along_axis(alike, new[..., None], axis=-1).mean',
    'the largest mean of equally many numbers is the largest sum',
  ),
  Equivalent(
    'cluster/matching.py',
    'seen = shared.sum(axis=2) > 0',
    'shared.sum -> shared.mean',
    'the mean of counts is above 0 where their sum is',
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'possible, xp.sqrt(variance) / xp.where(possible, mean, 1.0), xp.nan',
    '1.0 -> 2.0',
    _EMPTY,
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'mean = total / xp.where(number > 0, number, 1)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'np.divide(sums, counts, out=means, where=counts > 0)',
    'counts > 0 -> counts >= 0',
    '0 / 0 is NaN, which is there already',
  ),
  Equivalent(
    'cluster/matching.py',
    'tables = cell.reshape(-1, cell.shape[-1])',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'cluster/matching.py',
    'both = pairs(table.reshape(len(table), -1))',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'cluster/matching.py',
    'chance = a * b / max(n * (n - 1) / 2, 1)',
    '1 -> 2',
    'two samples are one pair, whose score is 1 or 0 either way',
  ),
  Equivalent(
    'cluster/matching.py',
    'np.asarray(boot_labels), np.asarray(weights), strict=True',
    'True -> False',
    'both have the same length',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'jnp.any(exists & (counts == 0)),',
    'counts == 0 -> counts != 0',
    'where no cluster is empty, nothing is moved',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'chosen = farthest[jnp.clip(jnp.cumsum(empty) - 1, 0, k - 1)]',
    'k - 1 -> k + 1',
    'at most K clusters are empty',
  ),
  Equivalent(
    'cluster/pca.py',
    'return found if rank >= found.shape[1] else found.at[:, rank:].set(0)',
    'rank >= found.shape[1] -> rank > found.shape[1]',
    'no column is set to 0 then',
  ),
)


def why(package: pathlib.Path, mutant: mutants.Mutant) -> str | None:
  """The reason for which a change is one of these, or None."""
  lines = (package / mutant.path).read_text().splitlines()
  line = lines[mutant.line - 1].strip()
  for known in KNOWN:
    if (known.path, known.line, known.what) == (mutant.path, line, mutant.what):
      return known.why
  return None
