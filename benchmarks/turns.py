"""The sides of a case take turns, so that all see the same machine.

All set up beside each other, which no clock sees, and then run one at a time.
"""

from collections.abc import Iterable
import contextlib
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from benchmarks import sides


class Worker:
  """A side in a process of its own, at one case after the other.

  Attributes:
    side: its name.
    ready: what it said when it was set up: `fraction`, `steady` and `setup`.
    trouble: why it cannot go on, as `missing` or `failed`; empty if it can.
    seconds: of its runs, each of a fraction of the work.
    memory: bytes that the work added at its peak, if they are known.
  """

  def __init__(self, module: str, side: str, cache: str):
    self.side = side
    # To a file: a full pipe that nobody reads would stop the worker. It is open
    # as long as the worker lives.
    self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115
    self._process = subprocess.Popen(
      [sys.executable, '-m', 'benchmarks.worker', module, side],
      cwd=sides.ROOT,
      env=os.environ
      | {
        # No programs of an earlier run.
        'HETEROJAX_CACHE': cache,
        # Else every process might compile all imports from their source.
        'PYTHONDONTWRITEBYTECODE': '',
      },
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._errors,
      text=True,
    )

  def begin(self, name: str, scale: sides.Scale) -> None:
    """A case; `wait` tells that it is set up."""
    self.ready: dict[str, Any] = {}
    self.trouble: dict[str, str] = {}
    self.seconds: list[float] = []
    self.memory: int | None = None
    self._say([name, scale.full, str(scale.folder)])

  def wait(self) -> None:
    """Until it is set up, or until what is prepared is there."""
    self.ready = self._answer()

  def run(self) -> None:
    if self.trouble:
      return
    self._say('run')
    answer = self._answer()
    if not self.trouble:
      self.seconds.append(answer['seconds'])

  def counted(self, turns: int) -> list[float]:
    """Seconds of the last so many turns, for all of the work."""
    fraction = self.ready['fraction']
    return [seconds / fraction for seconds in self.seconds[-turns:]]

  def finish(self) -> None:
    """Ends the case, after its results are written."""
    if not self.trouble:
      self._say('end')
      self.memory = self._answer().get('memory')

  def kill(self) -> None:
    self._process.kill()
    self._process.wait()

  def _say(self, what: Any) -> None:
    with contextlib.suppress(BrokenPipeError):  # Its last words say more.
      self._process.stdin.write(json.dumps(what) + '\n')
      self._process.stdin.flush()

  def _answer(self) -> dict[str, Any]:
    line = self._process.stdout.readline()
    answer = json.loads(line) if line else {'failed': self._last_words()}
    if 'failed' in answer or 'missing' in answer:
      self.trouble = answer
    return answer

  def _last_words(self) -> str:
    self._process.wait()
    self._errors.seek(0)
    said = self._errors.read()
    error = r'^\w[\w.]*(?:Error|Exception|Interrupt).*'
    errors = re.findall(error, said, re.M)
    last = (errors or said.strip().splitlines() or ['no word'])[-1]
    return f'{last} (exit code {self._process.returncode})'


class Crew:
  """Workers of a module, of whom each starts when it is first needed.

  One that stays for a further case has its library started and its programs at
  hand; memory that the case before left it free does not count as added.
  """

  def __init__(self, module: str):
    self._module = module
    self._cache = tempfile.TemporaryDirectory()
    self._workers: dict[str, Worker] = {}

  def worker(self, side: str) -> Worker:
    """The same as before, unless it is the first of a side or that failed."""
    known = self._workers.get(side)
    if known is None or 'failed' in known.trouble:
      self._workers[side] = Worker(self._module, side, self._cache.name)
    return self._workers[side]

  def __enter__(self) -> 'Crew':
    return self

  def __exit__(self, *_: object) -> None:
    for worker in self._workers.values():
      worker.kill()
    self._cache.cleanup()


def run(
  crew: Crew,
  name: str,
  case: sides.Case,
  scale: sides.Scale,
  chosen: Iterable[str],
) -> dict[str, Worker]:
  """Runs sides of a case in turn, to their end.

  Args:
    crew: of the module whose `CASES` has the case.
    name: of the case.
    case: the same.
    scale: of the work.
    chosen: the sides, in their order.

  Returns:
    Workers that have ended it; the last `case.turns` of their runs count.
  """
  if case.prepare is not None:
    prepared = crew.worker(sides.PREPARE)
    prepared.begin(name, scale)
    prepared.wait()
    if prepared.trouble:
      return dict.fromkeys(chosen, prepared)  # Nobody can go on.
  workers = {side: crew.worker(side) for side in chosen}
  for worker in workers.values():
    worker.begin(name, scale)
  for worker in workers.values():
    worker.wait()
  for worker in workers.values():
    worker.run()
  turns = case.turns[scale.full]
  for _ in range(turns):
    for worker in workers.values():
      if turns > 1 or not worker.ready.get('steady'):
        worker.run()
  for worker in workers.values():
    worker.finish()
  return workers


def measure(
  crew: Crew, name: str, case: sides.Case, full: bool
) -> list[dict[str, Any]]:
  """The records of a case, one per peer.

  Args:
    crew: of the module whose `CASES` has the case.
    name: of the case.
    case: the same.
    full: whether peers do all of the work, in more turns.

  Returns:
    One dictionary per peer; `missing` or `failed` says why one has no times. A
    case whose peers are all left out is not run.
  """
  peers = [s for s in case.chosen(full) if s != 'ours']
  if not peers:
    return []
  with tempfile.TemporaryDirectory() as folder:
    scale = sides.Scale(full, pathlib.Path(folder))
    workers = run(crew, name, case, scale, ['ours', *peers])
    ours, records = workers['ours'], []
    for peer in peers:
      trouble = ours.trouble or workers[peer].trouble
      if trouble:
        library, _, method = peer.partition('/')
        record = {'peer': library, 'method': method, **trouble}
      else:
        record = _record(ours, workers[peer], case.turns[full])
        results = [result_of(scale, side) for side in ('ours', peer)]
        record['quality'] = case.quality(*results)
      records.append({'name': name, 'work': case.work, **record})
  return records


def result_of(scale: sides.Scale, side: str) -> sides.Result:
  """What a side that has ended left to compare."""
  with np.load(scale.folder / sides.file_name(side)) as arrays:
    return dict(arrays)


def _record(ours: Worker, theirs: Worker, turns: int) -> dict[str, Any]:
  library, _, method = theirs.side.partition('/')
  counted = [worker.counted(turns) for worker in (ours, theirs)]
  medians = [statistics.median(seconds) for seconds in counted]
  ratios = [b / a for a, b in zip(*counted, strict=True)]
  fraction = theirs.ready['fraction']
  return {
    'peer': library,
    'method': method,
    'ratio': medians[1] / medians[0],
    'ratio_lowest': min(ratios),
    'ratio_highest': max(ratios),
    'ours': medians[0],
    'theirs': medians[1],
    'unit': 's',
    'turns': turns,
    'extrapolated': fraction < 1,
    'fraction_measured': fraction,
    'ours_first_run': ours.seconds[0],
    'theirs_first_run': theirs.seconds[0],
    'ours_setup': ours.ready['setup'],
    'theirs_setup': theirs.ready['setup'],
    'ours_memory_bytes': ours.memory,
    'theirs_memory_bytes': theirs.memory,
  }
