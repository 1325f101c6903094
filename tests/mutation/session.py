"""A session of pytest that runs its cases in forks, with a change in each.

Cases are collected once, and run once to see which places each of them reaches:
a change is tried on those alone. This process never starts JAX' backend, whose
threads no fork would have.
"""

from collections.abc import Callable
import functools
import gc
import importlib
import os
import pathlib
import pickle
import random
import resource
import signal
import sys
import tempfile
import time

import hypothesis
import pytest

from heterojax.compute import unofficial
from mutation import mutants

# Of the cases that are run with each change, as they took without one.
_KEPT_SECONDS = 30
_UNSEEN, _SEEN, _NOWHERE, _BROKEN = 0, 1, 97, 98


class Forks:
  """A plugin that tries changes.

  Args:
    package: folder of the modules.
    changes: of each module.
    seconds: of the processor for each module, after which no new one begins.
    seed: of the order in which they are tried.
    done: is called after each module with its path, how many were tried, and
      those that no case saw.
  """

  def __init__(
    self,
    package: pathlib.Path,
    changes: dict[str, list[mutants.Mutant]],
    seconds: float,
    seed: int,
    done: Callable[[str, int, list[mutants.Mutant]], None],
  ):
    self._package, self._changes = package, changes
    self._seconds, self._seed, self._done = seconds, seed, done
    self._cases: list[pytest.Item] = []
    self._took: list[float] = []
    # By the place: the cases that reached it, in their order.
    self._reached: dict[tuple[str, int], list[int]] = {}
    self._failed = False

  @pytest.hookimpl(tryfirst=True)
  def pytest_collection(self) -> None:
    """Failing examples need not become simpler."""
    phases = hypothesis.Phase.explicit, hypothesis.Phase.generate
    hypothesis.settings.register_profile(
      'mutation', hypothesis.settings.default, phases=phases
    )
    hypothesis.settings.load_profile('mutation')

  def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
    self._failed |= report.failed

  @pytest.hookimpl(tryfirst=True)
  def pytest_runtestloop(self, session: pytest.Session) -> bool:
    self._cases = session.items
    if unofficial.jax_has_started():
      raise pytest.UsageError('a file of tests starts JAX as it is imported')
    for path in self._changes:
      importlib.import_module(f'heterojax.{path[:-3].replace("/", ".")}')
    mutants.functions()
    gc.collect()
    gc.freeze()  # What no fork collects, no fork copies.
    with tempfile.NamedTemporaryFile() as file:
      if code := _fork(lambda: self._look(pathlib.Path(file.name))):
        raise pytest.UsageError(f'without a change the tests end with {code}')
      self._took, self._reached = pickle.loads(
        pathlib.Path(file.name).read_bytes()
      )
    for path, changes in self._changes.items():
      random.Random(self._seed).shuffle(changes)
      self._done(path, *self._try_all(changes))
    return True

  def _look(self, out: pathlib.Path) -> int:
    """Runs all cases, and writes what they took and which places they reached.

    Returns:
      0, the code of the process.
    """
    for path in self._changes:
      mutants.watch(self._package, path)
    took, reached = [], {}
    for number in range(len(self._cases)):
      mutants.SEEN.clear()
      self._failed, start = False, time.process_time()
      self._run(number, number + 1)
      took.append(time.process_time() - start)
      if self._failed:
        print(self._cases[number].nodeid, 'is left out', file=sys.stderr)
        took[-1] = float('inf')
      for place in mutants.SEEN:
        reached.setdefault(place, []).append(number)
    out.write_bytes(pickle.dumps((took, reached)))
    return 0

  def _try_all(
    self, changes: list[mutants.Mutant]
  ) -> tuple[int, list[mutants.Mutant]]:
    """Returns how many changes were tried, and which of them survived."""
    tried, survivors, end = 0, [], _children_seconds() + self._seconds
    for change in changes:
      if _children_seconds() > end:
        break
      chosen = self._chosen(change)
      work = functools.partial(self._try, change, chosen)
      code = _fork(work) if chosen else _UNSEEN
      if code == _BROKEN:
        raise pytest.UsageError(f'{change} could not be made')
      if code == _NOWHERE:  # No function of this process has that line.
        continue
      tried += 1
      if code == _UNSEEN:
        survivors.append(change)
    return tried, survivors

  def _chosen(self, change: mutants.Mutant) -> list[int]:
    """The cases that are run with a change, in their order.

    What a case traced, cached or made for its whole file may be used by those
    after it, which then reach no place of their own: they come last.
    """
    own = self._reached.get((change.path, change.number), [])
    first: dict[pathlib.Path, int] = {}
    for number in own:
      first.setdefault(self._cases[number].path, number)
    later = {
      number
      for number, case in enumerate(self._cases)
      if number > first.get(case.path, number)
    }
    later.difference_update(own)
    chosen, total = [], 0.0
    for some in own, later:
      for number in sorted(some, key=self._took.__getitem__):
        total += self._took[number]
        if total <= _KEPT_SECONDS:
          chosen.append(number)
    # Files that take turns would set up what their cases share again.
    return sorted(
      chosen,
      key=lambda n: (n in later, self._took[n] > 0.3, self._cases[n].path),
    )

  def _try(self, change: mutants.Mutant, chosen: list[int]) -> int:
    """Runs cases with a change; returns the code of the process."""
    if not mutants.put(self._package, change):
      return _NOWHERE
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    for number, after in zip(chosen, [*chosen[1:], len(self._cases)]):
      # It may make a loop without an end.
      allowed = int(time.process_time() + 10 + 10 * self._took[number])
      resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
      signal.alarm(30 * allowed)
      self._run(number, after)
      if self._failed:
        return _SEEN
    return _UNSEEN

  def _run(self, number: int, after: int) -> None:
    case = self._cases[number]
    following = self._cases[after] if after < len(self._cases) else None
    case.config.hook.pytest_runtest_protocol(item=case, nextitem=following)


def _children_seconds() -> float:
  used = resource.getrusage(resource.RUSAGE_CHILDREN)
  return used.ru_utime + used.ru_stime


def _fork(work: Callable[[], int]) -> int:
  """The code that a fork of this process ends with after some work."""
  pid = os.fork()
  if not pid:
    code = _BROKEN
    try:
      code = work()
    except KeyboardInterrupt:  # Of a test about it, which pytest ends with.
      code = _SEEN
    finally:
      os._exit(code)
  _, status = os.waitpid(pid, 0)
  return os.waitstatus_to_exitcode(status)
