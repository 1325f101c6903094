"""How much images of one patient vary together, in one cluster and in two.

Two images of a patient who is in several clusters pull the difference between
these to both sides, and their correlation makes it more certain; two in one
cluster make it less so. A cell is a stratum in a cluster.

Axes: N images, M cells, K clusters.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from heterojax.verdict import ranks


class Alike(NamedTuple):
  """Correlations of images of one patient, beyond what cells let expect.

  Attributes:
    within: of two in one cluster, from 0 to 1.
    between: of two in different clusters, from 0 to below `within`.
    freedom: `[K]`, what the squares of values less the mean of their cell are
      expected to sum to, where images have the variance 1.
    own: `[N]` int from 0, equal for images of one patient in one cluster.
    patient: `[N]` int from 0.
  """

  within: float
  between: float
  freedom: np.ndarray
  own: np.ndarray
  patient: np.ndarray

  def covariance(self, cell: np.ndarray, m: int) -> sparse.csr_array:
    """Covariances of the sums of cells, where images have the variance 1.

    Args:
      cell: `[N]` int from 0 to m - 1, of these or of finer cells.
      m: cells.

    Returns:
      `[M, M]`.
    """
    ones = np.ones(len(cell))
    alone = np.bincount(cell, ones, m)
    found = (1 - self.within) * sparse.diags_array(alone).tocsr()
    for unit, share in (
      (self.own, self.within - self.between),
      (self.patient, self.between),
    ):
      there = sparse.coo_array((ones, (unit, cell)), (len(cell), m)).tocsr()
      found = found + share * (there.T @ there)
    found.sort_indices()
    return found

  def exchanged(self) -> 'Alike':
    """These where a patient's images change places: one for all pairs."""
    inside, pairs = (
      np.sum(np.bincount(unit) ** 2) - len(unit)
      for unit in (self.own, self.patient)
    )
    mean = self.within * inside + self.between * (pairs - inside)
    mean = float(mean / max(pairs, 1))
    return self._replace(within=mean, between=mean)


def inflation(
  influence: np.ndarray, counts: np.ndarray, covariance: sparse.csr_array
) -> np.ndarray:
  """By how much images of one patient inflate the variance of sums.

  Args:
    influence: `[C, M]`, how much an image of each cell counts in each sum.
    counts: `[M]` images.
    covariance: of `Alike`.

  Returns:
    `[C]`; 1 for a sum in which no image counts.
  """
  alone = np.sum(influence**2 * counts, axis=1)
  together = np.sum(influence * (covariance @ influence.T).T, axis=1)
  counted = alone > 0
  return np.where(counted, together, 1) / np.where(counted, alone, 1)


def beyond_exchange(
  values: np.ndarray,
  strata: np.ndarray,
  labels: np.ndarray,
  k: int,
  groups: np.ndarray | None,
  orbits: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
  """By how much excesses of clusters vary more than exchanges let them.

  Exchanges take all images of a patient for equally alike. Where those in one
  cluster are more alike than others, clusters differ by more than in any draw.

  With orbits, draws are taken further apart about their own mean, which is off
  what strata let expect where patients stay: the mean of such a one leans to
  the cluster that has most of his images. So what draws lack is the variance of
  the excess less that of their mean, which has twice their covariance.

  Args:
    values: as of `alike`.
    strata: `[N]` int from 0.
    labels: as of `alike`.
    k: clusters.
    groups: as of `alike`.
    orbits: `[N]` int from 0, of `Exchange`, each in one stratum; None: strata.

  Returns:
    `[K]` ratios of variances, 1 or more, and that of their sum of squares over
    sizes (Q); 1 where no patient is in two clusters.
  """
  found = alike(values, in_order(strata * k + labels)[1], labels, k, groups)
  if found.own.max() == found.patient.max():
    return np.ones(k), 1.0
  orbits = strata if orbits is None else orbits
  cells, cell = in_order(orbits * k + labels)
  first = np.unique(cell, return_index=True)[1]
  expected, drawn = (
    _shares(of, labels, k)[of[first]].T for of in (strata, orbits)
  )
  influence = np.eye(k)[labels[first]].T - drawn
  both = influence + 2 * (drawn - expected)
  here, there = (
    np.sum(influence * (one.covariance(cell, len(cells)) @ both.T).T, axis=1)
    for one in (found, found.exchanged())
  )
  more = (here > (1 + ranks.TIE) * there) & (there > 0)
  ratio = np.where(more, here, 1) / np.where(more, there, 1)
  each = there / np.maximum(np.bincount(labels, minlength=k), 1)
  return ratio, float(ranks.total(ratio * each) / (ranks.total(each) or 1))


def _shares(of: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
  """Share of the images of each stratum, or orbit, that each cluster has."""
  table = np.bincount(of * k + labels, minlength=k * (of.max() + 1))
  table = table.reshape(-1, k)
  return table / table.sum(axis=1, keepdims=True)


def in_order(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """The cells `[M]` in the order of their first images, and `[N]` from 0.

  Sums over cells then have the same bits whatever the names of the clusters.
  """
  names, first, cell = np.unique(cells, return_index=True, return_inverse=True)
  order = np.argsort(first)
  return names[order], np.argsort(order)[cell]


def alike(
  values: np.ndarray,
  cell: np.ndarray,
  labels: np.ndarray,
  k: int,
  groups: np.ndarray | None,
) -> Alike:
  """Estimates the correlations by the method of moments.

  Values less the mean of their cell are the less alike the fewer patients are
  in it. So the squares of sums, of a patient in one cluster, are compared as a
  multiple of those of images with what any correlation lets expect. What those
  of all images of a patient have beyond that tells the correlation between
  clusters. It stays below the other as if one more patient had none, or the
  difference between clusters would be certain where each patient's images are
  all right or all wrong.

  Args:
    values: `[N]`.
    cell: `[N]` int of `in_order`.
    labels: `[N]` from 0 to k - 1.
    k: clusters.
    groups: `[N]` of anything that NumPy can sort, equal for images of one
      patient; None: of their own.

  Returns:
    The correlations.
  """
  n, images = np.bincount(cell), np.arange(len(cell))
  inside = np.bincount(labels, minlength=k)
  of_cell = labels[np.unique(cell, return_index=True)[1]]
  of_images = inside - np.bincount(of_cell, minlength=k)
  if groups is None:
    return Alike(0.0, 0.0, of_images, images, images)
  patient = np.unique(groups, return_inverse=True)[1]
  own = in_order(patient * k + labels)[1]
  part = _part(cell, own)
  of_units = inside - np.bincount(of_cell, part.power(2).sum(axis=0), k)
  # What is expected of images of variance 1 is `none` and `one` without a
  # correlation, `one` and `two` with that of 1: traces of M, G M and G M G M,
  # where M takes off the means of cells and G is 1 within a unit.
  none, one = len(cell) - len(n), len(cell) - part.power(2).sum()
  two, of_patients = _two(own, part), _two(patient, _part(cell, patient))
  residuals = values - (np.bincount(cell, values) / n)[cell]
  squares = np.sum(residuals**2)
  within = between = 0.0
  if squares:
    ratio, whole = (
      np.sum(np.bincount(unit, residuals) ** 2) / squares
      for unit in (own, patient)
    )
    told = two - one + ratio * (none - one)
    within = 1.0  # Where no cell has two patients, which alone could tell.
    if told > ranks.TIE * len(cell):
      within = float(np.clip((ratio * none - one) / told, 0, 1))
    expected = (1 - within) * none + within * one
    if of_patients - two > ranks.TIE * len(cell):
      number = patient.max() + 1
      most = within * number / (number + 1)
      found = (whole - ratio) * expected / (of_patients - two)
      between = float(np.clip(found, 0, most))
  freedom = (1 - within) * of_images + within * of_units
  return Alike(within, between, freedom, own, patient)


def _part(cell: np.ndarray, unit: np.ndarray) -> sparse.csr_array:
  """Units by cells: images over the root of the number in the cell."""
  n = np.bincount(cell)
  return sparse.coo_array((1 / np.sqrt(n[cell]), (unit, cell))).tocsr()


def _two(unit: np.ndarray, part: sparse.csr_array) -> float:
  """The trace of G M G M."""
  sizes = np.bincount(unit)
  of_unit = sizes * (sizes - 2 * part.power(2).sum(axis=1))
  return float(np.sum(of_unit) + (part.T @ part).power(2).sum())
