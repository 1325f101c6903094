"""The three questions, asked of the folds of a study.

Images are originals: copies follow theirs and are no images of their own here.
The heads of these tests are logistic regressions at their optimum, whatever the
study trains: an answer must not hang on the seed of a head. Only whether the
model is wrong more often somewhere is asked of the study's own head.
Where the data are split once, heads are refitted over folds of all images.

Axes: N images, T folds, K clusters, D features.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import hashlib
from typing import NamedTuple

import jax
import numpy as np
from scipy import sparse

from heterojax import cluster
from heterojax.compute.arrays import Array
from heterojax.heads import optimum
from heterojax.heads import scaler
from heterojax.heads.logistic import Gram
from heterojax.stats import heterogeneity
from heterojax.studies.answer import columns as columns_lib
from heterojax.studies.answer import measured as measured_lib
from heterojax.studies.answer import records
from heterojax.verdict import decomposition as decompositions
from heterojax.verdict import detectable as detectables
from heterojax.verdict import exchange as exchanges
from heterojax.verdict import folds as folds_lib
from heterojax.verdict import one_rule
from heterojax.verdict import one_vs_rest
from heterojax.verdict import ranks
from heterojax.verdict import rule as rules
from heterojax.verdict import subsets
from heterojax.verdict import teaches_less
from heterojax.verdict import uneven
from heterojax.verdict.folds import Fold
from heterojax.verdict.records import Test
from heterojax.verdict.records import holm

_ANY_CLASS = 49
# Of more images than this the heads of tests see as many principal components:
# what a head takes grows with the images times the square of its features.
MANY, COMPONENTS = 1500, 256
(
  _C,
  _UNEVEN,
  _PARTITIONS,
  _RANDOM,
  _ONE_RULE,
  _DETECTABLE,
  _CROSS,
  _ALIKE,
  _COLUMNS,
) = range(9)


class Split(NamedTuple):
  """One fold of a study, over the N images of all folds.

  Attributes:
    train: `[n]` int.
    test: `[m]` int.
    labels: `[N]` int, their clusters; -1 for images that the fold lacks.
    wrong: `[N]` float64, 1 where the study's head is wrong and 0 where it is
      right, or squared errors; only those of test images count.
  """

  train: np.ndarray
  test: np.ndarray
  labels: np.ndarray
  wrong: np.ndarray


class Draws(NamedTuple):
  """How many of each kind: see `configs.common`."""

  worlds: int
  partitions: int
  exchanges: int


class Found(NamedTuple):
  """What was measured.

  Attributes:
    measured: as records.
    cvs: `[1 + W]` coefficient of variation of the accuracy over the clusters,
      as a mean over folds, of logistic heads in the data and in worlds of one
      rule; None where there are none.
  """

  measured: records.Measured
  cvs: np.ndarray | None


def classification(
  splits: Sequence[Split],
  x: Sequence[Array],
  y: np.ndarray,
  units: np.ndarray,
  k: int,
  key: jax.Array,
  draws: Draws,
  *,
  standardised: bool,
  classes: int = 2,
  columns: Mapping[str, Sequence[str]] | None = None,
) -> Found:
  """Asks all three questions.

  Args:
    splits: T, with disjoint test parts.
    x: T times `[N, D]`, of network features the same array.
    y: `[N]` int codes of the classes.
    units: `[N]` int, equal for images of one patient. Images with the same
      features, of a network, are one picture and count as one patient's.
    k: K.
    key: of all draws.
    draws: how many.
    standardised: whether features are columns of different units, which the
      training images of a fold standardise.
    classes: how many there are.
    columns: of the data, name to N texts; '' is missing.

  Returns:
    What was found.
  """
  if not standardised:
    units = _with_copies(units, x[0], splits[0].labels >= 0)
  folds = _folds(splits, x, y, units, _key(key, _C), standardised, classes)
  if len(folds) == 1:
    folds = folds_lib.crossed(folds[0], y, units, _key(key, _CROSS))
  if not folds:
    why = 'all images are of one patient'
    return Found(measured_lib.unmeasured(k, why), None)
  first = _uneven(splits, y, units, k, _key(key, _UNEVEN), draws.exchanges)
  several = len(np.unique(units)) < len(units)
  patients = units if several else None
  own = subsets.right(folds, y, k)[0]
  drawn = subsets.like_clusters(
    folds, y, _key(key, _PARTITIONS), draws.partitions, patients
  )
  same = subsets.right(folds, y, k, drawn)
  tested = np.concatenate([fold.test for fold in folds])
  exchange = subsets.exchange(folds, y, patients)
  second = teaches_less.test(
    own[:, tested].mean(axis=1),
    same[..., tested].mean(axis=2),
    exchange.unit,
    exchange.stays,
  )
  third = one_rule.test(folds, y, units, k, _key(key, _ONE_RULE), draws.worlds)
  beside = _beside(third, folds, k)
  adjusted = holm([test.p_value for test in (first, second, third.test)])
  questions = [
    measured_lib.question(*one)
    for one in zip(
      (first, second, third.test), adjusted, (*beside, None), strict=True
    )
  ]
  any_class = subsets.of_any_class(folds, _key(key, _RANDOM), _ANY_CLASS)
  if several:
    # Neither these nor the sets of worlds keep patients together.
    alike = subsets.like_clusters(folds, y, _key(key, _ALIKE), _ANY_CLASS)
    same = subsets.right(folds, y, k, alike)
  overall = subsets.right(
    folds, y, 1, [np.zeros((1, len(f.train)), int) for f in folds]
  )[0]
  gaps = _gaps(
    overall,
    own,
    subsets.right(folds, y, k, any_class).mean(axis=0),
    same.mean(axis=0),
    third,
    tested,
    units,
  )
  measured = records.Measured(
    *questions,
    rule=measured_lib.rule(folds, third),
    tested=_tested(folds, y, k),
    decomposition=gaps,
    # What each question takes where none of the others finds anything.
    detectable=_detectable(
      folds,
      splits,
      y,
      units,
      third,
      k,
      _key(key, _DETECTABLE),
      detectables.LEVEL / max(1, sum(p is not None for p in adjusted)),
    ),
    columns=columns_lib.ask(
      folds[0], y, units, overall[0], columns or {}, _key(key, _COLUMNS)
    ),
  )
  return Found(measured, _cvs(third))


def uneven_alone(
  splits: Sequence[Split],
  y: np.ndarray | None,
  units: np.ndarray,
  k: int,
  key: jax.Array,
  draws: Draws,
  why: str,
) -> Found:
  """Asks whether the model is wrong more often in a cluster, and no more.

  Args:
    splits: as of `classification`.
    y: `[N]` int codes of the classes; None where labels are numbers, and
      errors squared.
    units: as there.
    k: K.
    key: of the draws.
    draws: how many.
    why: the other questions have no p-value.

  Returns:
    What was found.
  """
  y = np.zeros(len(units), int) if y is None else y
  first = _uneven(splits, y, units, k, _key(key, _UNEVEN), draws.exchanges)
  asked = measured_lib.question(first, first.p_value, why)
  nothing = measured_lib.unmeasured(k, why)
  return Found(dataclasses.replace(nothing, uneven=asked), None)


def heads(draws: Draws, n: int, k: int, folds: int, classes: int = 2) -> int:
  """How many heads of n images `classification` fits at most."""
  each = (
    1
    + one_rule.heads(k, draws.worlds)
    + k * (1 + draws.partitions + 2 * _ANY_CLASS)
    + detectables.heads(k)
  )
  folds = folds if folds > 1 else optimum.FOLDS
  number = folds * (each + rules.labellings(n, again=True))
  return number * one_vs_rest.heads(classes)


def _key(key: jax.Array, purpose: int) -> jax.Array:
  return jax.random.fold_in(key, purpose)


def _with_copies(units: np.ndarray, x: Array, known: np.ndarray) -> np.ndarray:
  """`[N]` int, equal for images of one unit or with the same features.

  Two labels of one picture are one: worlds that drew two, and heads that are
  tested on a picture they have seen, would both pass for another rule.

  Args:
    units: `[N]` int.
    x: `[N, D]`.
    known: `[N]` bool, which rows of `x` are of their image.
  """
  n = len(units)
  names = [
    hashlib.blake2b(row.tobytes(), digest_size=16).hexdigest()
    if is_known
    else str(i)
    for i, (row, is_known) in enumerate(zip(np.asarray(x), known, strict=True))
  ]
  pictures = np.unique(names, return_inverse=True)[1]
  of_unit = np.unique(units, return_inverse=True)[1]
  edges = sparse.coo_array(
    (np.ones(n), (of_unit, n + pictures)), shape=(2 * n, 2 * n)
  )
  return sparse.csgraph.connected_components(edges, directed=False)[1][of_unit]


def _folds(
  splits: Sequence[Split],
  x: Sequence[Array],
  y: np.ndarray,
  units: np.ndarray,
  key: jax.Array,
  standardised: bool,
  classes: int = 2,
) -> list[Fold]:
  """Features and the penalty of each fold."""
  if len(y) > MANY and x[0].shape[1] > COMPONENTS:
    x = _in_components(x)
  folds = []
  shared: dict[int, Array | Gram] = {}
  most = max(len(split.train) for split in splits)
  tested = np.concatenate([split.test for split in splits])
  for number, (split, features) in enumerate(zip(splits, x, strict=True)):
    train = split.train
    if len(splits) > 1:
      # What is tested nowhere has no probability to draw its labels from.
      train = train[np.isin(train, tested)]
    if standardised:
      by = scaler.standardise(features, train)
      features = (np.asarray(features, np.float64) - by.mean) / by.scale
    if id(features) not in shared or standardised:
      shared = {id(features): folds_lib.prepared(features, most)}
    own = shared[id(features)]
    c = folds_lib.penalty_of(
      own, y, units, train, jax.random.fold_in(key, number), classes
    )
    folds.append(Fold(own, c, train, split.test, split.labels, classes))
  return folds


def _in_components(x: Sequence[Array]) -> list[np.ndarray]:
  """Features in their first principal components, those of all images."""
  found: dict[int, np.ndarray] = {}
  for features in x:
    if id(features) not in found:
      fitted = cluster.pca(features, COMPONENTS)
      found[id(features)] = np.asarray(cluster.coordinates(fitted, features))
  return [found[id(features)] for features in x]


def _strata(splits: Sequence[Split], y: np.ndarray) -> dict[str, np.ndarray]:
  """Test images of all folds: their classes, folds and clusters."""
  tested = np.concatenate([split.test for split in splits])
  return {
    'values': np.concatenate([split.wrong[split.test] for split in splits]),
    'classes': y[tested],
    'labels': np.concatenate([split.labels[split.test] for split in splits]),
    'folds': np.repeat(
      np.arange(len(splits)), [len(split.test) for split in splits]
    ),
  }


def _uneven(
  splits: Sequence[Split],
  y: np.ndarray,
  units: np.ndarray,
  k: int,
  key: jax.Array,
  draws: int,
) -> Test:
  return uneven.test(
    **_strata(splits, y),
    k=k,
    key=key,
    groups=_patients(splits, units),
    draws=draws,
  )


def _patients(splits: Sequence[Split], units: np.ndarray) -> np.ndarray | None:
  """Those of the test images of all folds; None where each has one."""
  tested = units[np.concatenate([split.test for split in splits])]
  return tested if len(np.unique(tested)) < len(tested) else None


def _beside(
  found: one_rule.OneRule, folds: Sequence[Fold], k: int
) -> tuple[Test | str, Test | str]:
  """The first two statistics of logistic heads, among those of worlds."""
  worlds = found.worlds
  if worlds is None:
    return found.test.why, found.test.why
  at = np.concatenate([fold.labels[fold.test] for fold in folds])
  weight = np.bincount(at, minlength=k) / len(at)
  z = ranks.standardised(worlds.excess)
  q = ranks.total(np.nan_to_num(worlds.excess) ** 2 * weight)
  harder = found.test._replace(
    p_value=ranks.p_value(q, ranks.TIE), adjusted=ranks.step_down(z)
  )
  less = teaches_less.test(-worlds.shortfall[0], -worlds.shortfall[1:])
  return harder, less


def _tested(
  folds: Sequence[Fold], y: np.ndarray, k: int
) -> tuple[records.Tested, ...]:
  classes = folds[0].classes
  n = np.zeros(k, int)
  # Of each class against the rest, where a cell has both.
  sides = np.zeros((k, classes, 2), int)
  for fold in folds:
    for c in range(k):
      test = fold.test[fold.labels[fold.test] == c]
      here = np.bincount(y[test], minlength=classes)
      both = np.stack([here, len(test) - here], axis=1)
      n[c] += len(test)
      sides[c] += both * both.all(axis=1, keepdims=True)
  rarer = sides.min(axis=2).max(axis=1)
  return tuple(
    records.Tested(*of) for of in zip(n.tolist(), rarer.tolist(), strict=True)
  )


def _gaps(
  overall: np.ndarray,
  own: np.ndarray,
  any_class: np.ndarray,
  same_class: np.ndarray,
  found: one_rule.OneRule,
  tested: np.ndarray,
  units: np.ndarray,
) -> tuple[records.Gap, ...]:
  reach = np.full(own.shape, np.nan)
  if found.worlds is not None:
    reach = found.worlds.reach
  split = decompositions.decomposition(
    overall[0, tested],
    own[:, tested],
    any_class[:, tested],
    same_class[:, tested],
    reach[:, tested],
    units[tested],
  )
  return measured_lib.gaps(split, found)


def _detectable(
  folds: Sequence[Fold],
  splits: Sequence[Split],
  y: np.ndarray,
  units: np.ndarray,
  found: one_rule.OneRule,
  k: int,
  key: jax.Array,
  level: float,
) -> tuple[records.Detectable, ...]:
  of_test = _strata(splits, y)
  strata = exchanges.strata(of_test['classes'], of_test['folds'])
  points = detectables.accuracy_points(
    of_test['values'],
    strata,
    of_test['labels'],
    k,
    level,
    _patients(splits, units),
  )
  share, power = np.full(k, np.nan), np.full(k, np.nan)
  if found.worlds is not None:
    share, power = detectables.reversed_share(folds, found, k, key, level=level)
  return measured_lib.detectable(points, share, power, found)


def _cvs(found: one_rule.OneRule) -> np.ndarray | None:
  """`[1 + W]`, the CV of each fold's clusters, and of these the mean."""
  if found.worlds is None:
    return None
  cvs = heterogeneity.variation(found.worlds.right, np)
  return heterogeneity.mean_of_known(cvs, np)[0]
