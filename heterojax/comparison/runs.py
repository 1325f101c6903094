"""Reading finished runs, and which of them can stand side by side."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
import pathlib
from typing import Any, NamedTuple

from heterojax.errors import UserError
from heterojax.records import codec
from heterojax.records.codec import Number
from heterojax.stats.metrics import Classes
from heterojax.studies import reading
from heterojax.studies.retraining import wang2023
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.study import RETRAINING
from heterojax.studies.sample_size.study import SAMPLE_SIZE


class Run(NamedTuple):
  """A finished run.

  Attributes:
    folder: as the user wrote it.
    results: the record of its study.
    label: what it is called beside those of its group.
    name: what it is called beside all others.
    config: its settings; None where the folder lacks them.
  """

  folder: str
  results: Any
  label: str = ''
  name: str = ''
  config: Mapping[str, Any] | None = None

  @property
  def study(self) -> str:
    return self.results.study

  @property
  def classes(self) -> Classes:
    return self.results.classes

  @property
  def answer(self) -> str | None:
    """The words of the answer; None of a run without one."""
    return self.results.verdict.answer if self.results.verdict else None

  @property
  def p_value(self) -> Number | None:
    """The p-value of one rule for all clusters; None where it is unknown."""
    found = self.results.verdict
    return codec.known(found.one_rule.p_value) if found else None


class Group(NamedTuple):
  """Runs of one study on the same classes, and what the paper says of them."""

  classes: Classes
  published: Published | None
  runs: tuple[Run, ...]

  @property
  def retraining(self) -> bool:
    """Whether they have what the tables of the retraining study hold."""
    return self.runs[0].study == RETRAINING.name


def read(folders: Sequence[str]) -> list[Run]:
  """Reads the results of run folders.

  Args:
    folders: their paths.

  Returns:
    The runs, in this order, without labels and names.

  Raises:
    UserError: if a folder is named twice, or has no results that can be read.
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
    results = _results(path / 'results.json')
    runs.append(Run(folder, results, config=_config(path / 'config.json')))
  return runs


def _results(path: pathlib.Path) -> Any:
  if not path.is_file():
    raise UserError(
      f'There is no {path}: --workdirs takes folders of studies that have'
      ' finished.'
    )
  results = reading.read(path)
  if results.study not in (RETRAINING.name, SAMPLE_SIZE.name):
    raise UserError(
      f'{path} is of the study {results.study!r}: only those of'
      f' {RETRAINING.name} and {SAMPLE_SIZE.name} are compared.'
    )
  return results


def _config(path: pathlib.Path) -> Mapping[str, Any] | None:
  return reading.load(path) if path.is_file() else None


def grouped(runs: Sequence[Run]) -> list[Group]:
  """Puts runs of a study on the same classes together, and labels them."""
  alike: dict[tuple[str, Classes], list[Run]] = {}
  for run, name in zip(runs, _names(runs), strict=True):
    run = run._replace(name=name)
    alike.setdefault((run.study, run.classes), []).append(run)
  return [
    Group(
      classes,
      wang2023.published(*classes.names) if study == RETRAINING.name else None,
      _labelled(members),
    )
    for (study, classes), members in alike.items()
  ]


def _names(runs: Sequence[Run]) -> Iterator[str]:
  """The shortest ends of their paths that tell their folders apart."""
  paths = [pathlib.Path(r.folder).expanduser().resolve().parts for r in runs]
  for path in paths:
    for length in range(1, len(path) + 1):
      end = path[-length:]
      if sum(other[-length:] == end for other in paths) == 1:
        yield str(pathlib.PurePath(*end))
        break


def _labelled(runs: Sequence[Run]) -> tuple[Run, ...]:
  """Labels by protocol; where all have one, by name; else by both."""
  of = Counter(map(protocol, runs))
  if len(runs) > 1 and len(of) == 1:
    return tuple(run._replace(label=run.name) for run in runs)
  return tuple(
    run._replace(
      label=protocol(run)
      if of[protocol(run)] == 1
      else f'{protocol(run)} ({run.name})'
    )
    for run in runs
  )


def folds(results: Any) -> int:
  """Folds of the cross-validation; 1 without one."""
  return results.split.folds or 1


def protocol(run: Run) -> str:
  """Protocol and folds of a run, in words."""
  label = f'{run.results.protocol} protocol'
  number = folds(run.results)
  return f'{label}, {number} folds' if number > 1 else label
