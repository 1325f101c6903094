"""Reading finished runs, and which of them can stand side by side."""

from collections import Counter
from collections.abc import Iterator, Sequence
import pathlib
from typing import NamedTuple

from heterojax.errors import UserError
from heterojax.stats.metrics import Classes
from heterojax.studies import reading
from heterojax.studies import registry
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.study import RETRAINING


class Run(NamedTuple):
  """A finished run.

  Attributes:
    folder: as the user wrote it.
    results: of the study.
    label: what it is called beside the others.
  """

  folder: str
  results: Results
  label: str = ''

  @property
  def classes(self) -> Classes:
    return self.results.classes


class Group(NamedTuple):
  """Runs on the same classes, and what the paper says about them."""

  classes: Classes
  published: Published | None
  runs: tuple[Run, ...]


def read(folders: Sequence[str]) -> list[Run]:
  """Reads the results of run folders.

  Args:
    folders: their paths.

  Returns:
    The runs, in this order, without labels.

  Raises:
    UserError: if a folder is named twice or has no results that can be read.
  """
  if not folders or not all(folders):
    raise UserError('Say which run folders to compare with --workdirs=A,B.')
  runs = []
  seen: dict[pathlib.Path, str] = {}
  for folder in folders:
    path = pathlib.Path(folder).expanduser()
    if (same := path.resolve()) in seen:
      raise UserError(
        f'--workdirs names one folder twice ({seen[same]} and {folder}): name'
        ' each run once.'
      )
    seen[same] = folder
    runs.append(Run(folder, _results(path / 'results.json')))
  return runs


def _results(path: pathlib.Path) -> Results:
  if not path.is_file():
    raise UserError(
      f'There is no {path}: --workdirs takes folders of studies that have'
      ' finished.'
    )
  tree = reading.load(path)
  if registry.find(study := tree.get('study')) is not RETRAINING:
    raise UserError(
      f'{path} is of the study {study!r}: only retraining studies can be'
      ' compared.'
    )
  results = reading.parse(path, Results, tree)
  for holds, why in _consistent(results):
    if not holds:
      raise reading.damaged(path, why)
  return results


def _consistent(results: Results) -> Iterator[tuple[bool, str]]:
  """What must hold between fields, and what is wrong where it does not."""
  d, clusters = results.dataset, results.clusters
  yield bool(clusters), 'there are no clusters'
  distances = results.between_cluster_distances
  square = all(len(row) == len(clusters) for row in (distances, *distances))
  yield square, 'between_cluster_distances has another size'
  yield all(c.size >= 0 for c in clusters), 'a cluster has a negative size'
  counts = {
    'train': d.class_counts_train,
    'train_augmented': d.class_counts_train_augmented,
    'test': d.class_counts_test,
  } | {f'cluster {c.id}': c.class_counts for c in clusters}
  for part, by_class in counts.items():
    for name in d.named.names:
      yield name in by_class, f'the counts of {part} have no {name!r}'


def grouped(runs: Sequence[Run]) -> list[Group]:
  """Puts runs on the same classes together, and labels them."""
  of_classes: dict[Classes, list[Run]] = {}
  for run in runs:
    of_classes.setdefault(run.classes, []).append(run)
  return [
    Group(classes, wang2023.published(*classes.names), _labelled(members))
    for classes, members in of_classes.items()
  ]


def _labelled(runs: Sequence[Run]) -> tuple[Run, ...]:
  """Labels by protocol, where that repeats by folder name, else by path."""
  by_protocol = [_protocol(run) for run in runs]
  by_name = [
    f'{label} ({pathlib.Path(run.folder).expanduser().resolve().name})'
    for run, label in zip(runs, by_protocol, strict=True)
  ]
  labelled = []
  for run, protocol, name in zip(runs, by_protocol, by_name, strict=True):
    if Counter(by_protocol)[protocol] == 1:
      label = protocol
    elif Counter(by_name)[name] == 1:
      label = name
    else:
      label = f'{protocol} ({run.folder})'
    labelled.append(run._replace(label=label))
  return tuple(labelled)


def folds(results: Results) -> int:
  """Folds of the cross-validation; 1 without one."""
  return results.split.folds or 1


def _protocol(run: Run) -> str:
  label = f'{run.results.protocol} protocol'
  number = folds(run.results)
  return f'{label}, {number} folds' if number > 1 else label
