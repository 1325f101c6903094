"""The verdict on each column of the data: could a head read it, and does it say
the class?

Axes: N originals.
"""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report import formatting
from heterojax.stats import inference
from heterojax.stats import robustness
from heterojax.studies import shortcuts
from heterojax.studies.answer import records
from heterojax.studies.answer.conditions import LEVEL
from heterojax.verdict import folds
from heterojax.verdict import held_out
from heterojax.verdict import readable
from heterojax.verdict import uneven
from heterojax.verdict.folds import Fold
from heterojax.verdict.records import holm

CONFOUNDED, READABLE, NO_SIGN, CANNOT = (
  'confounded',
  'readable',
  'no sign',
  'cannot be told',
)
# Of more columns the others are not asked.
MOST = 20
# Values that are looked at by themselves; the rarer ones are one.
_MOST_VALUES = 4
# Of the exchanges of patients.
_DRAWS = 1999
# Of keys: `readable` has those before it.
_CLASS = 2


def ask(
  fold: Fold,
  y: np.ndarray,
  units: np.ndarray,
  right: np.ndarray,
  columns: Mapping[str, Sequence[str]],
  key: jax.Array,
) -> tuple[records.ColumnVerdict, ...]:
  """The verdict on each column.

  Args:
    fold: whose features and C the heads have; images without a cluster are not
      in it, and have no features there.
    y: `[N]` of 0 and 1.
    units: `[N]` int, equal for images of one patient.
    right: `[N]` of 0 and 1, where the cross-fitted head of all images is right;
      NaN where it was not tested.
    columns: name to N texts; '' is missing.
    key: of all draws.

  Returns:
    One for each, in their order; p-values are adjusted for their number (Holm),
    those of reading apart from those of the class.
  """
  x = np.asarray(folds.features(fold.x))
  coded, found, classes = {}, {}, {}
  asked = min(len(columns), MOST)
  for number, (name, cells) in enumerate(columns.items()):
    texts = np.array(cells, str)
    kind = shortcuts.kind(texts, np.ones(len(texts), bool))
    if isinstance(kind, Missing):
      coded[name] = kind
    elif number >= MOST:
      coded[name] = Missing(f'only the first {MOST} columns are asked')
    else:
      values, names = code(texts, kind)
      values[fold.labels < 0] = -1
      coded[name] = values, names
      key_of = jax.random.fold_in(key, number)
      found[name] = readable.test(
        x, y, values, units, fold.c, key_of, _enough(readable.DRAWS, asked)
      )
      known = values >= 0
      classes[name] = _says_class(
        values[known],
        y[known],
        units[known],
        asked,
        jax.random.fold_in(key_of, _CLASS),
      )
  p_values = holm([test.p_value for test in found.values()])
  reads = dict(zip(found, p_values, strict=True))
  tells = dict(zip(classes, holm(list(classes.values())), strict=True))
  verdicts = []
  for name, coding in coded.items():
    if isinstance(coding, Missing):
      verdicts.append(_unknown(name, coding))
      continue
    values, names = coding
    test, p, of_class = found[name], reads[name], tells[name]
    drops = held_out.drops(
      fold.x, y, values, units, right, fold.c, fold.classes
    )
    verdicts.append(
      records.ColumnVerdict(
        column=name,
        word=_word(p, of_class),
        auc=codec.estimate(test.auc, test.why),
        p_value=codec.estimate(test.p_value, test.why),
        adjusted=codec.estimate(p, test.why),
        with_class=codec.estimate(of_class, 'it has one value'),
        unit=test.unit,
        held_out=tuple(
          records.HeldOut(names[d.value], d.n, d.drop, d.interval)
          for d in drops
        ),
        **_robustness(x, y, values, units),
      )
    )
  return tuple(verdicts)


def code(texts: np.ndarray, kind: str) -> tuple[np.ndarray, tuple[str, ...]]:
  """A column as a few numbers.

  Args:
    texts: `[N]` of str, '' where missing.
    kind: 'numeric', which is cut at the median, or 'categorical', of whose
      values the rarer ones are one.

  Returns:
    `[N]` int, -1 where missing, and the names of the numbers.
  """
  known = texts != ''
  values = np.full(len(texts), -1)
  if kind == 'numeric':
    numbers = texts[known].astype(float)
    cut = float(np.median(numbers))
    named, above = formatting.exact(cut), numbers > cut
    if not above.any():  # The largest value is also the median.
      above = numbers >= cut
      names = f'below {named}', f'{named} or more'
    else:
      names = f'up to {named}', f'above {named}'
    values[known] = above
    return values, names
  words, of, counts = np.unique(
    texts[known], return_inverse=True, return_counts=True
  )
  order = np.argsort(-counts, kind='stable')
  rank = np.empty(len(words), int)
  rank[order] = np.arange(len(words))
  values[known] = np.minimum(rank[of], _MOST_VALUES)
  names = tuple(str(words[i]) for i in order[:_MOST_VALUES])
  return values, (*names, 'others') if len(words) > _MOST_VALUES else names


def _enough(draws: int, tests: int) -> int:
  """Draws with which p may be below the level, adjusted for that many."""
  return max(draws, round(tests / LEVEL))


def _says_class(
  values: np.ndarray,
  y: np.ndarray,
  units: np.ndarray,
  asked: int,
  key: jax.Array,
) -> float | None:
  """p of a column that has nothing to do with the class.

  Images of one patient have one sex and often one class, and so patients are
  exchanged where one has several. Of more than two classes each is asked
  against the others, and p is adjusted for their number. That of all columns
  that are asked is for the caller.
  """
  if len(np.unique(units)) == len(units):
    return inference.cramers_v(values, y).p_value
  names, codes = np.unique(values, return_inverse=True)
  classes = np.unique(y)
  classes = classes[: 1 if len(classes) < 3 else None]
  p_values = [
    uneven.test(
      (y == label).astype(int),
      np.zeros(len(y), int),
      codes,
      len(names),
      key=key,
      groups=units,
      draws=_enough(_DRAWS, asked * len(classes)),
    ).p_value
    for label in classes
  ]
  known = [p for p in holm(p_values) if p is not None]
  return min(known) if known else None


def _robustness(
  x: np.ndarray, y: np.ndarray, values: np.ndarray, units: np.ndarray
) -> dict[str, Estimate]:
  """The indices of a column as fields of its record.

  Features are less their mean. Where they outnumber images they are coordinates
  about it, and cosines must not hang on which of the two is larger.
  """
  rows = np.flatnonzero(values >= 0)
  fields = {'robustness_index': 'index', 'margin_aware_index': 'margin_aware'}
  fields |= {'margin': 'margin'}
  few = 'there are too few neighbours of other patients'
  if len(np.unique(units[rows])) <= min(robustness.KS):
    return dict.fromkeys(fields, Missing(few))
  own = np.asarray(x[rows], np.float64)
  own -= own.mean(axis=0)
  found = robustness.robustness(own, y[rows], values[rows], units[rows])
  return {
    name: codec.estimate(getattr(found, of), few) for name, of in fields.items()
  }


def _word(p: float | None, of_class: float | None) -> str:
  if p is None:
    return CANNOT
  if p > LEVEL:
    return NO_SIGN
  tells = of_class is not None and of_class <= LEVEL
  return CONFOUNDED if tells else READABLE


def _unknown(name: str, why: Missing) -> records.ColumnVerdict:
  return records.ColumnVerdict(
    name, CANNOT, why, why, why, why, 'image', (), why, why, why
  )
