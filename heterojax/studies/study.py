"""What a study is: all that the program asks of one.

A study is a package beside this module and one line of `registry`. It shares
`settings`, `samples`, `stages`, `heads_stage`, `audits` and `records` with the
others, and imports nothing of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import pathlib
from typing import Any, NamedTuple, Protocol

from heterojax.backbones import Backbone
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Source
from heterojax.records.foretell import Known
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.stages import Timer

# What must hold of settings, and what to say where it does not.
Rules = Iterator[tuple[bool, str]]


class Heads(NamedTuple):
  """What a study trains: H heads, and images they see in one epoch together."""

  number: int
  passes: int


class Run(Protocol):
  """Computes a study and writes its artifacts but for results and report."""

  def __call__(
    self,
    settings: Settings,
    folder: pathlib.Path,
    cohorts: Sequence[Cohort],
    samples: Sequence[Samples],
    backbone: Backbone | None,
    timer: Timer,
  ) -> tuple[Any, Any]:
    """The whole study.

    Args:
      settings: of the study.
      folder: the run folder, owned.
      cohorts: see `Study.plan`.
      samples: one for each, see `stages.collect`.
      backbone: see `stages.load_backbone`.
      timer: keeps the seconds of each stage.

    Returns:
      The record of `Study.results`, without timings and environment; and the
      arrays of `Study.view`.
    """
    ...


class Study(NamedTuple):
  """One study.

  Attributes:
    name: `study` of a configuration.
    defaults: dotted field of the configuration to its value, where it is not
      that of `configs/common.py`.
    rules: of its settings, beyond those of every study.
    plan: reads and splits the data, with what earlier looks at images found;
      one cohort per fold (of every size).
    manifest: the candidates of all cohorts once, as `manifest.csv` names them.
    check: raises a UserError where data or network do not fit the settings;
      before anything is written or takes long.
    run: see `Run`.
    results: the record that `results.json` holds.
    view: a NamedTuple of the arrays that figures need besides the results.
    known: what the settings and the cohorts tell of the results to come; the
      cohorts are None where they have not been read yet.
    heads: what it trains, from the settings, the source, the number of cohorts
      and of their training images; None where predictions are given.
    outputs: stage of `--rerun` to the patterns of the artifacts that it writes
      for the stages after it.
    report: writes tables, figures and, last, `report.html`.
  """

  name: str
  defaults: Mapping[str, Any]
  rules: Callable[[Settings], Rules]
  plan: Callable[[Settings, pathlib.Path, Inspections], tuple[Cohort, ...]]
  manifest: Callable[[Settings, Sequence[Cohort], Sequence[Samples]], Cohort]
  check: Callable[[Settings, Source, Backbone | None], None]
  run: Run
  results: type
  view: type
  known: Callable[[Settings, Sequence[Cohort] | None], Known]
  heads: Callable[[Settings, Source, int, int], Heads | None]
  outputs: Mapping[str, tuple[str, ...]]
  report: Callable[[pathlib.Path, Any, Any], None]
