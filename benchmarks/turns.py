"""The sides of a case take turns, so that all see the same machine."""

import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from benchmarks import sides

_ROOT = pathlib.Path(__file__).parents[1]


class _Worker:
  """A side in a process of its own."""

  def __init__(self, module: str, name: str, side: str, scale: sides.Scale):
    self.side = side
    # To a file: a full pipe that nobody reads would stop the worker.
    self._errors = tempfile.TemporaryFile('w+')
    self._process = subprocess.Popen(
        [
            *(sys.executable, '-m', 'benchmarks.worker', module, name, side),
            *('full' if scale.full else 'quick', str(scale.folder)),
        ],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=self._errors,
        text=True,
    )

  def answer(self) -> dict[str, Any]:
    line = self._process.stdout.readline()
    if line:
      return json.loads(line)
    self._process.wait()
    self._errors.seek(0)
    said = self._errors.read()
    errors = re.findall(r'^\w[\w.]*(?:Error|Exception|Interrupt).*', said, re.M)
    last = (errors or said.strip().splitlines() or ['no word'])[-1]
    return {'failed': f'{last} (exit code {self._process.returncode})'}

  def turn(self) -> float:
    self._process.stdin.write('go\n')
    self._process.stdin.flush()
    answer = self.answer()
    if 'failed' in answer:
      raise RuntimeError(f'{self.side} failed at a later turn: {answer}')
    return answer['seconds']

  def finish(self) -> dict[str, Any]:
    self._process.stdin.close()
    answer = self.answer()
    self._process.wait()
    return answer

  def kill(self) -> None:
    self._process.kill()
    self._process.wait()


def measure(
    module: str, name: str, case: sides.Case, full: bool
) -> list[dict[str, Any]]:
  """The records of a case, one per peer.

  Args:
    module: where `CASES` has the case.
    name: of the case.
    case: the same.
    full: whether peers do all of the work, in more turns.

  Returns:
    One dictionary per peer; `missing` or `failed` says why one has no times.
  """
  with tempfile.TemporaryDirectory() as folder:
    scale = sides.Scale(full, pathlib.Path(folder))
    if case.prepare is not None:
      prepared = _Worker(module, name, 'prepare', scale)
      answer = prepared.answer()
      prepared.kill()
      if 'prepared' not in answer:
        return [{'name': name, 'peer': p, **answer} for p in _peers(case)]
    workers = {}
    try:
      # One after another: a first run is timed too.
      for side in case.sides:
        worker = _Worker(module, name, side, scale)
        workers[side] = (worker, worker.answer())
        if side == 'ours' and 'first' not in workers[side][1]:
          reason = workers[side][1]
          return [{'name': name, 'peer': p, **reason} for p in _peers(case)]
      ready = {s: a for s, (_, a) in workers.items() if 'first' in a}
      seconds = {side: [] for side in ready}
      for _ in range(case.turns[full]):
        for side in ready:
          used = workers[side][0].turn() / ready[side]['fraction']
          seconds[side].append(used)
      used = {s: workers[s][0].finish()['memory'] for s in ready}
    finally:
      for worker, _ in workers.values():
        worker.kill()
    ours = _read(scale.folder, 'ours')
    return [
        _record(name, case, peer, ready, seconds, used)
        | {'quality': case.quality(ours, _read(scale.folder, peer))}
        if peer in ready
        else {'name': name, 'peer': peer, **workers[peer][1]}
        for peer in _peers(case)
    ]


def _peers(case: sides.Case) -> list[str]:
  return [side for side in case.sides if side != 'ours']


def _read(folder: pathlib.Path, side: str) -> sides.Result:
  with np.load(folder / f'{side.replace("/", "_")}.npz') as arrays:
    return dict(arrays)


def _record(
    name: str,
    case: sides.Case,
    side: str,
    ready: dict[str, dict[str, Any]],
    seconds: dict[str, list[float]],
    used: dict[str, int | None],
) -> dict[str, Any]:
  peer, _, method = side.partition('/')
  ours, theirs = (statistics.median(seconds[s]) for s in ('ours', side))
  ratios = [b / a for a, b in zip(seconds['ours'], seconds[side], strict=True)]
  return {
      'name': name,
      'peer': peer,
      'method': method,
      'work': case.work,
      'ratio': theirs / ours,
      'ratio_lowest': min(ratios),
      'ratio_highest': max(ratios),
      'ours': ours,
      'theirs': theirs,
      'unit': 's',
      'turns': len(ratios),
      'extrapolated': ready[side]['fraction'] < 1,
      'fraction_measured': ready[side]['fraction'],
      'ours_first_run': ready['ours']['first'],
      'theirs_first_run': ready[side]['first'],
      'ours_memory_bytes': used['ours'],
      'theirs_memory_bytes': used[side],
  }
