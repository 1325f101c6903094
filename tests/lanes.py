"""Lanes: which cases are fast, what every case costs, which modules are used.

A case without a mark is `fast`. `medium` ones belong to the default lane too;
`slow` ones do not. `--check-lanes` makes the rules of the default lane count:
no case of it takes more than 2 CPU-seconds, it has at least 60 % of all cases,
and calls something of every module of the library. CPU-seconds, of the process
and those that it started, are the same whatever else the machine does.
"""

import ast
import collections
from collections.abc import Iterator
import cProfile
import functools
import inspect
import os
import pathlib
import time

import pytest

from heterojax.compute import cores

MOST_SECONDS = 2.0
# The same case costs half as much again on a busy core that two threads share.
_NOISE = 1.5
LEAST_SHARE = 0.6

_TESTS = pathlib.Path(__file__).resolve().parent
_LIBRARY = _TESTS.parent / 'heterojax'


def cpu_seconds() -> float:
  """What this process and those that it has waited for have used so far."""
  times = os.times()
  # The clock of this process alone is finer than a hundredth.
  return time.process_time() + times.children_user + times.children_system


def use_cores(number: int) -> None:
  """Binds this process to so many cores; where there are fewer they repeat.

  XLA, which makes its threads later, then has as many.
  """
  there = cores.numbers()
  chosen = tuple(there[i % len(there)] for i in range(number))
  os.sched_setaffinity(0, chosen)
  os.environ['NPROC'] = str(number)
  cores.numbers = lambda: chosen


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


@functools.cache
def modules_with_functions() -> frozenset[str]:
  """The files of the library in which something can be called.

  Scripts have a process of their own, into which nobody looks from here.
  """
  return frozenset(
    str(path)
    for path in _LIBRARY.rglob('*.py')
    if _has_functions(ast.parse(path.read_bytes()))
    and not path.stem.endswith('_script')
  )


class Check:
  """Measures a run and fails it where the rules do not hold.

  A fixture of a module or of the session is shared: each case that asks for it
  has an equal part of what it took, whether it runs in this lane or not.
  """

  def __init__(self):
    self._own: dict[pytest.Item, float] = collections.Counter()
    self._shared: dict[tuple[str, str], float] = collections.Counter()
    self._apart = 0.0  # What shared fixtures took so far.
    self._deselected: list[pytest.Item] = []
    self._unused = set(modules_with_functions())
    self.mistakes: list[str] = []

  def _saw(self, profile: cProfile.Profile) -> None:
    """Takes note of the modules of which something was called."""
    for entry in profile.getstats():
      code = entry.code
      # A module's own body, and those of its classes, only define.
      if not isinstance(code, str) and code.co_flags & inspect.CO_OPTIMIZED:
        self._unused.discard(code.co_filename)

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

  def pytest_sessionfinish(self, session: pytest.Session) -> None:
    slow = {i.nodeid for i in session.items if i.get_closest_marker('slow')}
    for case, took in self.seconds(session.items).items():
      if took > _NOISE * MOST_SECONDS and case not in slow:
        self.mistakes.append(f'{took:.1f} CPU-seconds without `slow`: {case}')
    count = len(session.items)
    if count < LEAST_SHARE * (count + len(self._deselected)):
      self.mistakes.append(f'{count} cases are less than {LEAST_SHARE:.0%}')
    for file in sorted(self._unused):
      name = pathlib.Path(file).relative_to(_LIBRARY.parent)
      self.mistakes.append(f'nothing of {name} was called')
    if self.mistakes and session.exitstatus == pytest.ExitCode.OK:
      session.exitstatus = pytest.ExitCode.TESTS_FAILED

  def pytest_terminal_summary(
    self, terminalreporter: pytest.TerminalReporter
  ) -> None:
    terminalreporter.section('lanes')
    for line in self.mistakes or ['every rule of the default lane holds']:
      terminalreporter.write_line(line)
