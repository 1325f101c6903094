"""A session of pytest that runs its cases in forks, with a change in each.

Cases are collected once. This process never starts JAX' backend, whose threads
no fork would have.
"""

from collections.abc import Callable, Iterator
import itertools
import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import time

import pytest

from mutation import mutants

_CPU_SECONDS = 120  # Of one change: it may make a loop without an end.
_ALL = 1200  # Of all cases without a change.
_KEPT = 60  # Of the cases that are run with each change, the shortest ones.
_NOWHERE, _BROKEN = 97, 98


class Forks:
  """A plugin that tries changes.

  Args:
    package: folder of the modules.
    changes: in the order in which they are tried.
    seconds: after which no new one begins.
  """

  def __init__(
    self, package: pathlib.Path, changes: list[mutants.Mutant], seconds: float
  ):
    self._package, self._changes = package, changes
    self._seconds = seconds
    self._took: dict[str, float] = {}
    self._here = os.getpid()
    self.tried = 0
    self.survivors: list[mutants.Mutant] = []

  def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
    if report.failed and os.getpid() != self._here:
      os._exit(1)

  @pytest.hookimpl(wrapper=True)
  def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
    # Of the processor: others may use the machine, too.
    start = time.process_time()
    found = yield
    self._took[item.nodeid] = time.process_time() - start
    return found

  @pytest.hookimpl(tryfirst=True)
  def pytest_runtestloop(self, session: pytest.Session) -> bool:
    items = session.items
    with tempfile.NamedTemporaryFile() as file:
      if code := self._fork(items, lambda: 1, _ALL, file.name):
        raise pytest.UsageError(f'without a change the tests end with {code}')
      took = json.loads(pathlib.Path(file.name).read_text())
    # Those that take long only where no other one fails.
    items.sort(key=lambda item: took[item.nodeid])
    total = itertools.accumulate(took[item.nodeid] for item in items)
    items = [item for item, t in zip(items, total, strict=True) if t <= _KEPT]
    items.sort(key=lambda item: (took[item.nodeid] > 0.3, str(item.path)))
    end = time.monotonic() + self._seconds
    for change in self._changes:
      if time.monotonic() > end:
        break
      code = self._fork(items, lambda m=change: mutants.put(self._package, m))
      if code == _BROKEN:
        raise pytest.UsageError(f'{change} could not be made')
      if code == _NOWHERE:  # No function of this process has that line.
        continue
      self.tried += 1
      if not code:
        self.survivors.append(change)
        print(*change[:3], 'survives', file=sys.stderr, flush=True)
    return True

  def _fork(
    self,
    items: list[pytest.Item],
    change: Callable[[], int],
    seconds: int = _CPU_SECONDS,
    times: str = os.devnull,
  ) -> int:
    """Runs cases until one fails; 0 if none does."""
    pid = os.fork()
    if not pid:
      code = _BROKEN
      try:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        signal.alarm(20 * seconds)
        code = _NOWHERE
        if change():
          code = 1
          for item, after in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
          pathlib.Path(times).write_text(json.dumps(self._took))
          code = 0
      except Exception:  # pylint: disable=broad-except
        code = _BROKEN if code == _NOWHERE else code
      finally:
        os._exit(code)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
