"""Reading finished runs, and which of them can stand side by side."""

from collections import Counter
from collections.abc import Sequence
import itertools
import json
import math
import pathlib
from typing import Any
from typing import NamedTuple

from heterojax.errors import UserError
from heterojax.stats import metrics
from heterojax.studies.retraining import published

SCHEMA_VERSION = 1
_NUMBER = (int, float)
_FIELDS = {
  'protocol': str,
  'seed': int,
  'dataset.name': str,
  'dataset.positive': str,
  'dataset.negative': str,
  'dataset.n_train': _NUMBER,
  'dataset.n_train_augmented': _NUMBER,
  'dataset.n_validation': _NUMBER,
  'dataset.n_test': _NUMBER,
  'backbone.name': str,
  'backbone.source': (str, type(None)),
  'backbone.weights': (str, type(None)),
  'backbone.weights_sha256': (str, type(None)),
  'backbone.feature': str,
  'backbone.dim': _NUMBER,
  'reduction.method': str,
  'reduction.n_components': (*_NUMBER, type(None)),
  'overall': dict,
  'clusters': list,
  'between_cluster_distances': list,
  'leaks': dict,
}


class Run(NamedTuple):
  """A finished run.

  Attributes:
    folder: as the user wrote it.
    results: its `results.json`.
    label: what it is called beside the others.
  """

  folder: str
  results: dict[str, Any]
  label: str = ''

  @property
  def classes(self) -> tuple[str, str]:
    d = self.results['dataset']
    return d['positive'], d['negative']


class Group(NamedTuple):
  """Runs on the same pair of classes, and what the paper says about it."""

  classes: tuple[str, str]
  published: dict[str, Any] | None
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
  found = []
  seen: dict[pathlib.Path, str] = {}
  for folder in folders:
    path = pathlib.Path(folder).expanduser()
    if (same := path.resolve()) in seen:
      raise UserError(
        f'--workdirs names one folder twice ({seen[same]} and {folder}): name'
        ' each run once.'
      )
    seen[same] = folder
    found.append(Run(folder, _results(path / 'results.json')))
  return found


def _results(path: pathlib.Path) -> dict[str, Any]:
  if not path.is_file():
    raise UserError(
      f'There is no {path}: --workdirs takes folders of studies that have'
      ' finished.'
    )
  try:
    results = json.loads(path.read_bytes(), parse_constant=_no_constant)
  except OSError as error:
    raise UserError(
      f'{path} cannot be read ({error.strerror}): check its permissions.'
    ) from error
  except (ValueError, RecursionError) as error:
    raise _damaged(path, 'it is not JSON') from error
  if not isinstance(results, dict):
    raise _damaged(path, 'it is not an object')
  if (study := results.get('study')) != 'retraining':
    raise UserError(
      f'{path} is of the study {study!r}: only retraining studies can be'
      ' compared.'
    )
  if (version := results.get('schema_version')) != SCHEMA_VERSION:
    raise UserError(
      f'{path} has the schema_version {version!r}, but this version of'
      f' heterojax compares {SCHEMA_VERSION}: run the study again, or use'
      ' the version that wrote it.'
    )
  try:
    _check(results)
  except (AttributeError, LookupError, TypeError, ValueError) as error:
    raise _damaged(path, f'{type(error).__name__}: {error}') from error
  return results


def _no_constant(name: str) -> None:
  raise ValueError(f'{name} is no JSON')


def _damaged(path: pathlib.Path, why: str) -> UserError:
  return UserError(f'{path} is damaged ({why}): run the study again.')


def _check(results: dict[str, Any]) -> None:
  """Raises something if a field that is compared is missing or malformed."""
  for path, kind in _FIELDS.items():
    value: Any = results
    for name in path.split('.'):
      value = value[name]
    _of_type(value, kind, path)
  names = (results['dataset']['positive'], results['dataset']['negative'])
  for part in ('train', 'train_augmented', 'test'):
    _check_counts(results['dataset'][f'class_counts_{part}'], names)
  for note in results['dataset'].get('notes', ()):
    _of_type(note, str, 'dataset.notes')
  _of_type(folds(results), int, 'split.folds')
  if results['reduction']['method'] != 'none':
    _of_type(results['reduction']['n_components'], _NUMBER, 'n_components')
  for kind, found in results['leaks'].items():
    if kind.endswith('_why'):
      _of_type(found, str, f'leaks.{kind}')
    else:
      _check_counts(dict.fromkeys(names, 0) | (found or {}), names)
  _check_score(results['overall'])
  clusters = results['clusters']
  if not clusters:
    raise ValueError('there are no clusters')
  for c in clusters:
    if not isinstance(c['id'], int) or not c['size'] >= 0:
      raise ValueError('a cluster has no id or no size')
    _check_counts(c['class_counts'], names)
    distance = c['intra_cluster_distance']
    _of_type(distance, (*_NUMBER, type(None)), 'intra_cluster_distance')
    for score in (c['test'], c['retrained'], *c['random']['runs']):
      _check_score(score)
    _check_score(c['random'])
  distances = results['between_cluster_distances']
  for row in (distances, *distances):
    if len(row) != len(clusters):
      raise ValueError('between_cluster_distances has another size')
  for value in itertools.chain.from_iterable(distances):
    _of_type(value, _NUMBER, 'between_cluster_distances')


def _of_type(value: Any, kind: Any, name: str) -> None:
  if not isinstance(value, kind) or value in (math.inf, -math.inf):
    raise TypeError(f'{name} is {value!r}')


def _check_counts(counts: dict[str, float], names: tuple[str, str]) -> None:
  for name in names:
    _of_type(counts[name], _NUMBER, 'class_counts')


def _check_score(score: dict[str, Any]) -> None:
  for name in metrics.COUNTS:
    _of_type(score[name], _NUMBER, name)
  for name in metrics.METRICS:
    _of_type(score[name], (*_NUMBER, type(None)), name)
  for ends in (score.get('intervals') or {}).values():
    if ends is not None:
      low, high = ends
      _of_type(low + high, _NUMBER, 'intervals')


def grouped(runs: Sequence[Run]) -> list[Group]:
  """Puts runs on the same pair of classes together, and labels them."""
  of_classes: dict[tuple[str, str], list[Run]] = {}
  for run in runs:
    of_classes.setdefault(run.classes, []).append(run)
  return [
    Group(classes, published.wang2023(*classes), _labelled(members))
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


def folds(results: dict[str, Any]) -> int:
  """Folds of the cross-validation; 1 without one."""
  return (results.get('split') or {}).get('folds') or 1


def _protocol(run: Run) -> str:
  label = f'{run.results["protocol"]} protocol'
  number = folds(run.results)
  return f'{label}, {number} folds' if number > 1 else label
