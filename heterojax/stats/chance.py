"""What the coefficient of variation is with no heterogeneity at all.

Small test clusters alone make a metric vary over clusters. Here the images, or
whole patients, are exchanged over the clusters, whose sizes stay, which leaves
the metric of all images as it is.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.stats import heterogeneity
from heterojax.stats import inference as statistics
from heterojax.stats import metrics

DRAWS = 1000
# The middle 95 % of the draws.
_PERCENTILES = (2.5, 97.5)
# Draws that are in memory at once, each of one value per image.
_CHUNK = 64
# Images are padded to powers of two from here on: few programs are compiled.
_MIN_ROWS = 128
# Equal coefficients differ by the order in which their terms are added.
_TIE = 1e-9


class Estimate(NamedTuple):
  """A coefficient of variation (CV) beside its null; NaN: not estimable.

  Attributes:
    cv: as it is.
    expected: its mean with no heterogeneity.
    band: the middle 95 % of it with no heterogeneity.
    corrected: what is left without the part that chance explains.
    p_value: share of draws that are not below it, `(1 + b) / (1 + draws)`.
  """

  cv: float
  expected: float
  band: tuple[float, float]
  corrected: float
  p_value: float


def null_cvs(
  values: np.ndarray,
  labels: np.ndarray,
  k: int,
  transform: metrics.Transform,
  key: jax.Array,
  draws: int = DRAWS,
  groups: np.ndarray | None = None,
) -> np.ndarray:
  """CVs with no heterogeneity: images, or patients, exchangeable over clusters.

  Each draw permutes the values of the images, for all clusterings alike. Images
  of one patient are alike in their values and often lie in one cluster, so that
  single images are not exchangeable: what is exchanged then are the values of
  two patients with equally many images, and those of the images of a patient
  among themselves. Where images are independent of each other this is a
  permutation of images.

  The draws are a group of permutations under which values that have nothing to
  do with the clusters keep their distribution, if patients are exchangeable and
  so are the images of a patient: a permutation test in strata of group size
  (Winkler et al. 2015, "Multi-level block permutation"), exact for any
  correlation inside of patients. The price: a patient with a number of images
  that no other has stays where it is (`exchangeable`), which makes the band say
  less the more images that concerns. The other design, patients in random order
  laid over the clusters image by image, moves those too, but cuts patients in
  two wherever sizes differ and is then not exact.

  Args:
    values: `[N]` of `metrics.terms`.
    labels: `[R, N]` from 0 to k - 1, one row per training of the clustering.
    k: clusters.
    transform: of `metrics.terms`.
    key: of the permutations; more draws with the same key begin with the same.
    draws: permutations.
    groups: `[N]` of anything that NumPy can sort, equal for images of one
      patient; None: each image is a group by itself.

  Returns:
    `[draws]` float64, each the mean over the clusterings of their CV, where
    estimable.
  """
  n = len(values)
  groups = np.arange(n) if groups is None else groups
  group, sizes = _group_sizes(groups)
  # Groups of one size stand together, and each is one stretch.
  order = np.lexsort((group, sizes[group]))
  group = group[order]
  first = np.unique(group, return_index=True)[1][group]
  padding = max(_MIN_ROWS, 1 << (n - 1).bit_length()) - n
  # The padding counts as one more size, the largest.
  row_sizes = np.pad(sizes[group], (0, padding), constant_values=n + 1)
  grouped = bool((sizes > 1).any())
  with jax.enable_x64(True):
    layout = _Layout(
      jnp.asarray(row_sizes), jnp.asarray(np.pad(first, (0, padding)))
    )
    values = np.asarray(values, np.float64)[order]
    padded = jnp.asarray(np.pad(values, (0, padding)))
    labels = np.asarray(labels)[:, order]
    labels = np.pad(labels, ((0, 0), (0, padding)), constant_values=-1)
    null = [
      _null(padded, labels, layout, transform, key, first, k, grouped)
      for first in range(0, draws, _CHUNK)
    ]
    return np.concatenate(null)[:draws]


class _Layout(NamedTuple):
  """Which images may be exchanged; groups are stretches, sorted by size.

  Attributes:
    size: `[N]` int, of the group of each image.
    first: `[N]` int, the first image of its group.
  """

  size: jax.Array
  first: jax.Array


def _group_sizes(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Number of the group `[N]` of each image, and the size of each group."""
  _, group, sizes = np.unique(
    np.asarray(groups), return_inverse=True, return_counts=True
  )
  return group, sizes


def exchangeable(groups: np.ndarray) -> float:
  """Share of the images whose group has another one of its size.

  The values of the others stay in their clusters in all draws of `null_cvs`.

  Args:
    groups: `[N]`, as of `null_cvs`.

  Returns:
    From 0 to 1; 1 of no images.
  """
  group, sizes = _group_sizes(groups)
  number = np.bincount(sizes)
  return float(np.mean(number[sizes[group]] > 1)) if len(group) else 1.0


@functools.partial(jax.jit, static_argnames=('k', 'grouped'))
def _null(
  values: jax.Array,
  labels: jax.Array,
  layout: _Layout,
  transform: metrics.Transform,
  key: jax.Array,
  first: int,
  k: int,
  grouped: bool,
) -> jax.Array:
  """The CVs of one chunk; padding is in no cluster."""
  members = jax.nn.one_hot(labels, k, dtype=values.dtype)  # [R, N, K]
  counts = jnp.sum(members, axis=1)
  members = jnp.moveaxis(members, 1, 0).reshape(len(values), -1)  # [N, R K]

  def draw(number):
    stream = jax.random.fold_in(key, number)
    # 64 bits, so that no two images, or groups, are equal.
    bits = jax.random.bits(stream, values.shape, jnp.uint64)
    keys: tuple[jax.Array, ...] = (layout.size, bits[layout.first])
    if grouped:
      # Another stream: the first image must not come first more often.
      inner = jax.random.fold_in(stream, 0)
      keys += (jax.random.bits(inner, values.shape, jnp.uint64),)
    *_, permuted = jax.lax.sort((*keys, values), num_keys=len(keys))
    sums = jnp.matmul(permuted, members, precision='highest')
    means = sums.reshape(counts.shape) / jnp.maximum(counts, 1)
    metric = transform(jnp.where(counts > 0, means, jnp.nan))
    cvs = heterogeneity.variation(metric, jnp)
    return heterogeneity.mean_of_known(cvs, jnp)[0]

  return jax.vmap(draw)(first + jnp.arange(_CHUNK))


def combine(cvs: np.ndarray, nulls: np.ndarray) -> Estimate:
  """Mean of the CVs of T folds, beside the null of that mean.

  The corrected CV of a fold is `sqrt(cv^2 - mean(null^2))`. Variances add, so
  it is their difference, 0 where chance explains more ("double-corrected
  variance" of Lum, Zhang and Bower 2022, with permutations in place of the
  binomial formula). That of several folds is of the mean of these differences.

  Args:
    cvs: `[T]`; folds of NaN are left out.
    nulls: `[T, draws]` of `null_cvs`, with another key for each fold, because
      the folds have no test image in common and so are drawn independently.

  Returns:
    The estimate.
  """
  cvs, nulls = np.asarray(cvs, np.float64), np.asarray(nulls, np.float64)
  known = ~np.isnan(cvs)
  null = statistics.nanmean(nulls[known], 0)
  null = null[~np.isnan(null)]
  cv = heterogeneity.mean_cv(cvs)
  if not len(null):
    nan = float('nan')
    return Estimate(cv, nan, (nan, nan), nan, nan)
  excess = cvs[known] ** 2 - statistics.nanmean(nulls[known] ** 2, 1)
  low, high = np.percentile(null, _PERCENTILES)
  # A draw without an estimate counts against a finding.
  below = np.sum(null < cv * (1 - _TIE))
  draws = nulls.shape[1]
  return Estimate(
    cv=cv,
    expected=float(np.mean(null)),
    band=(float(low), float(high)),
    corrected=float(np.sqrt(max(np.mean(excess), 0.0))),
    p_value=float((1 + draws - below) / (1 + draws)),
  )
