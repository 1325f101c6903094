"""Groups that are known, in the place of clusters.

A column of the data (site, scanner, view, sex, bands of an age) or somebody's
own file names the group of each image. Small groups are put together or left
out, and every image has the same group in all folds.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import pathlib
from typing import NamedTuple

import numpy as np

from heterojax.datasets import meanings
from heterojax.datasets import numbers
from heterojax.datasets import restriction
from heterojax.datasets import tables
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.report import formatting
from heterojax.studies.settings import Cluster
from heterojax.studies.settings import Settings

_METHOD, _SIZE = '--config.cluster.method', '--config.cluster.min_size'
# The name of the column that `ids:FILE` adds, after which it is a column too.
_OF_FILE = 'group of the file'
# Numbers of more values than this are cut into bands.
_MOST_VALUES = 10
_MOST_NAMES = 10
_MOST_TOGETHER = 3  # Names of small groups in that of all of them.


class Groups(NamedTuple):
  """The groups of all images.

  Attributes:
    names: K, in the order of their numbers.
    of: id of an image to the number of its group.
  """

  names: tuple[str, ...]
  of: Mapping[str, int]


def column(cluster: Cluster) -> str:
  """The column that holds the groups; '' where images are clustered."""
  kind, _, name = cluster.method.partition(':')
  return {'column': name.strip(), 'ids': _OF_FILE}.get(kind, '')


def restrict(cluster: Cluster, cohort: Cohort) -> Cohort:
  """Leaves out whose group is not known, or too small.

  Groups of fewer images than `cluster.min_size` are one group if together they
  are large enough.

  Args:
    cluster: the settings.
    cohort: with its images selected.

  Returns:
    The cohort, each of whose images has a group; as it was where images are
    clustered.

  Raises:
    UserError: if there is no such column or file, or fewer than two groups.
  """
  name = column(cluster)
  if not name:
    return cohort
  if name == _OF_FILE:
    cohort = _with_file(cluster, cohort)
  restriction.require_column(cohort, name, _METHOD)
  cells = {c.id: _value(c, name) for c in cohort.included}
  small = _small(cluster, cells)
  several = sum(small.values()) >= cluster.min_size
  changed = {}
  for c in cohort.included:
    if not (cell := cells[c.id]):
      changed[c.id] = c.left_out(f'its {name} is not known')
    elif cell in small and not several:
      changed[c.id] = c.left_out(
        f'{name} {cell!r} has {small[cell]} images, fewer than {_SIZE}='
        f'{cluster.min_size}'
      )
  cohort = cohort.replaced(changed)
  found = groups(cluster, [cohort])
  if found is None or len(found.names) < 2:
    values = ', '.join(sorted(set(filter(None, cells.values())))[:_MOST_NAMES])
    raise UserError(
      f'{_METHOD}={cluster.method} gives fewer than two groups of'
      f' {cluster.min_size} images or more ({_SIZE}): the values are'
      f' {values or "all missing"}.'
    )
  return cohort


def groups(cluster: Cluster, cohorts: Sequence[Cohort]) -> Groups | None:
  """The groups of the images of `restrict`; None where they are clustered.

  Args:
    cluster: the settings.
    cohorts: of all folds, which hold the same images.

  Returns:
    Them, in the order of their names, or values; those that are put together
    are the last.
  """
  if not (name := column(cluster)):
    return None
  cells = {c.id: _value(c, name) for c in cohorts[0].included}
  small = _small(cluster, cells)
  if (cuts := _cuts(cluster, cells)) is not None:
    values = {i: numbers.parse(cell) for i, cell in cells.items()}
    of = {i: int(np.sum(value > cuts)) for i, value in values.items()}
    bands = [
      [value for i, value in values.items() if of[i] == band]
      for band in range(len(cuts) + 1)
    ]
    names = tuple(
      f'{formatting.exact(min(own))} to {formatting.exact(max(own))}'
      for own in bands
    )
    return Groups(names, of)
  large = sorted({*cells.values()} - {*small}, key=_order)
  number = dict.fromkeys(small, len(large)) | {
    v: i for i, v in enumerate(large)
  }
  return Groups(
    (*large, *([_together(small)] if small else ())),
    {i: number[cell] for i, cell in cells.items()},
  )


def place(
  cluster: Cluster, cohorts: Sequence[Cohort], others: Cohort
) -> dict[str, int | str]:
  """The groups of the images of another data set.

  Args:
    cluster: the settings.
    cohorts: of all folds, whose groups are known.
    others: the other data set, with its images selected.

  Returns:
    Id of an image to the number of its group, or why it has none.

  Raises:
    UserError: if the other data set has no such column.
  """
  name = column(cluster)
  restriction.require_column(others, name, _METHOD)
  found = groups(cluster, cohorts)
  assert found is not None
  cells = {c.id: _value(c, name) for c in cohorts[0].included}
  cuts = _cuts(cluster, cells)
  number = {cell: found.of[i] for i, cell in cells.items()}
  placed: dict[str, int | str] = {}
  for c in others.included:
    cell = _value(c, name)
    if not cell:
      placed[c.id] = f'its {name} is not known'
    elif cuts is not None:
      value = numbers.parse(cell)
      placed[c.id] = (
        f'its {name} {cell!r} is no number'
        if np.isnan(value)
        else int(np.sum(value > cuts))
      )
    elif cell in number:
      placed[c.id] = number[cell]
    else:
      placed[c.id] = f'{name} {cell!r} is no group of the first data set'
  return placed


def resolved(settings: Settings, cohorts: Sequence[Cohort]) -> Settings:
  """The settings, whose k is the number of groups where these are known."""
  found = groups(settings.cluster, cohorts)
  if found is None:
    return settings
  return dataclasses.replace(
    settings,
    cluster=dataclasses.replace(settings.cluster, k=len(found.names)),
  )


def _value(candidate: Candidate, name: str) -> str:
  return meanings.known(dict(candidate.columns).get(name, '').strip())


def _order(cell: str) -> tuple[int, float, str]:
  """Numbers by their value, then words."""
  value = numbers.parse(cell)
  return (1, 0.0, cell) if np.isnan(value) else (0, value, cell)


def _together(small: Iterable[str]) -> str:
  """The name of small groups that are one, which says of which it is made."""
  first, more = np.split(sorted(small, key=_order), [_MOST_TOGETHER])
  others = [f'{len(more)} more'] if len(more) else []
  return f'other ({formatting.listed([*first, *others])})'


def _cuts(cluster: Cluster, cells: Mapping[str, str]) -> np.ndarray | None:
  """Upper ends of all bands but the last; None of a column of few values.

  Bands hold about as many images each, and no value is in two of them: there
  are as many as that leaves, at most k. Asked for so many there are the same.
  """
  known = [cell for cell in cells.values() if cell]
  if len(set(known)) <= _MOST_VALUES:
    return None
  values = np.array([numbers.parse(cell) for cell in known])
  if np.isnan(values).any():
    return None
  for bands in range(cluster.k, 1, -1):
    shares = np.arange(1, bands) / bands
    cuts = np.unique(np.quantile(values, shares, method='inverted_cdf'))
    cuts = cuts[cuts < values.max()]
    if len(cuts) == bands - 1:
      return cuts
  return np.zeros(0)


def _small(cluster: Cluster, cells: Mapping[str, str]) -> dict[str, int]:
  """Values that few images have, with how many; bands are none."""
  if _cuts(cluster, cells) is not None:
    return {}
  counts = Counter(filter(None, cells.values()))
  return {v: n for v, n in counts.items() if n < cluster.min_size}


def _with_file(cluster: Cluster, cohort: Cohort) -> Cohort:
  """The cohort with a column more, of a CSV with the columns id and cluster."""
  path = pathlib.Path(cluster.method.partition(':')[2].strip()).expanduser()
  if not path.is_file():
    raise UserError(f'There is no file {str(path)!r} ({_METHOD}).')
  table = tables.read(path)
  if not table.rows or not {'id', 'cluster'} <= {*table.names}:
    raise UserError(
      f'{path} ({_METHOD}) must be a CSV file with the columns id and cluster,'
      ' as the clusters.csv of a run has them.'
    )
  of: dict[str, str] = {}
  for row in table.rows:
    image, own = row['id'], row['cluster']
    if of.setdefault(image, own) != own:
      raise UserError(
        f'{path} ({_METHOD}) has the image {image!r} in the clusters'
        f' {of[image]} and {own}, as a run with folds may: keep one row of each'
        ' image.'
      )
  if not any(c.id in of for c in cohort.included):
    raise UserError(
      f'{path} ({_METHOD}) has no row of an image of {cohort.source.name}: its'
      f' ids begin with {next(iter(of), "nothing")!r}, those of the images with'
      f' {cohort.included[0].id!r}.'
    )
  return dataclasses.replace(
    cohort,
    candidates=tuple(
      dataclasses.replace(c, columns=(*c.columns, (_OF_FILE, of.get(c.id, ''))))
      for c in cohort.candidates
    ),
  )
