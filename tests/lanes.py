"""Lanes: which cases are fast, what every case costs, which modules are used.

A case without a mark is `fast`. `medium` ones belong to the default lane too;
`slow` ones do not. `--check-lanes` makes the rules of the default lane count:
no case of it takes more than 2 CPU-seconds, it has at least 60 % of all cases,
and calls something of every module of the library. CPU-seconds, of the process
and those that it started, are the same whatever else the machine does.
"""

import ast
import collections
from collections.abc import Iterator, Sequence
import cProfile
import dataclasses
import functools
import importlib.util
import inspect
import os
import pathlib
import time
from typing import Any

import pytest

MOST_SECONDS = 2.0
# The same case costs twice as much where two processes share a core (1.7 and
# 3.8 CPU-seconds were measured), and that again and more on an older processor.
_NOISE = 5.0
LEAST_SHARE = 0.6

_TESTS = pathlib.Path(__file__).resolve().parent
_LIBRARY = _TESTS.parent / 'heterojax'


def cpu_seconds() -> float:
  """What this process and those that it has waited for have used so far."""
  times = os.times()
  # The clock of this process alone is finer than a hundredth.
  return time.process_time() + times.children_user + times.children_system


def mark_fast(items: list[pytest.Item]) -> None:
  """Marks the cases of this folder that say nothing else."""
  for item in items:
    others = any(map(item.get_closest_marker, ('slow', 'medium')))
    if item.path.parent == _TESTS and not others:
      item.add_marker('fast')


def _has_functions(module: ast.Module) -> bool:
  """Whether something can be called: more than a docstring or an ellipsis."""
  return any(
    not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
    for function in ast.walk(module)
    if isinstance(function, ast.FunctionDef)
    for line in function.body
  )


def _can_be_imported(module: ast.Module) -> bool:
  """Whether what it imports at once is installed, as extras may not be."""
  names = (
    name
    for line in module.body
    if isinstance(line, ast.Import)
    for name in line.names
  )
  return all(
    importlib.util.find_spec(name.name.partition('.')[0]) for name in names
  )


@functools.cache
def modules_with_functions() -> frozenset[str]:
  """The files of the library in which something can be called here.

  Scripts have a process of their own, into which nobody looks from here.
  """
  modules = {
    path: ast.parse(path.read_bytes()) for path in _LIBRARY.rglob('*.py')
  }
  return frozenset(
    str(path)
    for path, module in modules.items()
    if _has_functions(module)
    and _can_be_imported(module)
    and not path.stem.endswith('_script')
  )


@dataclasses.dataclass(frozen=True)
class Seen:
  """What a process saw of a run, in types that it can send to another.

  Attributes:
    seconds: CPU-seconds of each case without `slow`, its parts of fixtures
      included.
    called: the files of the library of which something was called.
    number: how many cases the run has.
    others: how many it left out.
  """

  seconds: dict[str, float]
  called: list[str]
  number: int
  others: int


def mistakes(seen: Sequence[Seen]) -> list[str]:
  """Breaches of the rules, a line each.

  Args:
    seen: by the processes that shared a run, of which each knows all cases, or
      none where others ran them.

  Returns:
    The lines; none where every rule of the default lane holds.
  """
  seconds = collections.Counter()
  for own in seen:
    seconds.update(own.seconds)
  found = [
    f'{took:.1f} CPU-seconds without `slow`: {case}'
    for case, took in seconds.items()
    if took > _NOISE * MOST_SECONDS
  ]
  number, others = max((own.number, own.others) for own in seen)
  if number < LEAST_SHARE * (number + others):
    found.append(f'{number} cases are less than {LEAST_SHARE:.0%}')
  called = set().union(*(own.called for own in seen))
  for file in sorted(modules_with_functions() - called):
    name = pathlib.Path(file).relative_to(_LIBRARY.parent)
    found.append(f'nothing of {name} was called')
  return found


class Check:
  """Measures a run and fails it where the rules do not hold.

  A fixture of a module or of the session is shared: each case that asks for it
  has an equal part of what it took, whether it runs in this lane or not. A
  worker of pytest-xdist sends what it saw; the process that started it judges.
  """

  def __init__(self):
    self._own: dict[pytest.Item, float] = collections.Counter()
    self._shared: dict[tuple[str, str], float] = collections.Counter()
    self._apart = 0.0  # What shared fixtures took so far.
    self._deselected: list[pytest.Item] = []
    self._called: set[str] = set()
    self._sent: list[Seen] = []
    self.mistakes: list[str] = []

  def _saw(self, profile: cProfile.Profile) -> None:
    """Takes note of the modules of which something was called."""
    for entry in profile.getstats():
      code = entry.code
      # A module's own body, and those of its classes, only define.
      if not isinstance(code, str) and code.co_flags & inspect.CO_OPTIMIZED:
        self._called.add(code.co_filename)

  def pytest_deselected(self, items: list[pytest.Item]) -> None:
    self._deselected += items

  @pytest.hookimpl(wrapper=True)
  def pytest_fixture_setup(
    self, fixturedef: pytest.FixtureDef
  ) -> Iterator[None]:
    start, apart = cpu_seconds(), self._apart
    try:
      return (yield)
    finally:
      if fixturedef.scope != 'function':
        # Less what the fixtures took that this one asked for.
        took = cpu_seconds() - start - (self._apart - apart)
        self._apart += took
        self._shared[fixturedef.baseid, fixturedef.argname] += took

  @pytest.hookimpl(wrapper=True, tryfirst=True)
  def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
    return (yield from self._measured(item))

  @pytest.hookimpl(wrapper=True, tryfirst=True)
  def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
    return (yield from self._measured(item))

  def _measured(self, item: pytest.Item) -> Iterator[None]:
    start, apart = cpu_seconds(), self._apart
    # It counts in C: a function of Python costs half a test's time.
    profile = cProfile.Profile(subcalls=False, builtins=False)
    try:
      with profile:
        return (yield)
    finally:
      self._own[item] += cpu_seconds() - start - (self._apart - apart)
      self._saw(profile)

  def seconds(self, items: list[pytest.Item]) -> dict[str, float]:
    """CPU-seconds of each case that ran, its parts of fixtures included."""
    users = {
      (base, name): [
        item
        for item in [*items, *self._deselected]
        if item.nodeid.startswith(base) and name in item.fixturenames
      ]
      for base, name in self._shared
    }
    total = collections.Counter(self._own)
    for key, took in self._shared.items():
      for item in users[key]:
        total[item] += took / len(users[key])
    return {item.nodeid: total[item] for item in items}

  def _seen(self, items: list[pytest.Item]) -> Seen:
    free = [item for item in items if not item.get_closest_marker('slow')]
    called = [file for file in self._called if file.startswith(str(_LIBRARY))]
    others = len(self._deselected)
    return Seen(self.seconds(free), called, len(items), others)

  @pytest.hookimpl(optionalhook=True)
  def pytest_testnodedown(self, node: Any) -> None:
    # One that crashed has sent nothing.
    if 'lanes' in getattr(node, 'workeroutput', {}):
      self._sent.append(Seen(**node.workeroutput['lanes']))

  def pytest_sessionfinish(self, session: pytest.Session) -> None:
    seen = self._seen(session.items)
    if hasattr(session.config, 'workeroutput'):
      session.config.workeroutput['lanes'] = dataclasses.asdict(seen)
      return
    self.mistakes = mistakes([seen, *self._sent])
    if self.mistakes and session.exitstatus == pytest.ExitCode.OK:
      session.exitstatus = pytest.ExitCode.TESTS_FAILED

  def pytest_terminal_summary(
    self, terminalreporter: pytest.TerminalReporter
  ) -> None:
    terminalreporter.section('lanes')
    for line in self.mistakes or ['every rule of the default lane holds']:
      terminalreporter.write_line(line)
