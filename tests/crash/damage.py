"""Damages finished things file by file and writes what came of it.

PYTHONPATH=tests python -m crash.damage [--seconds=120] [--seed=0] [KIND ...]

Seconds are those of each kind. With --json what was found is printed instead of
written into `docs/proofs.md`.
"""

import collections
from collections.abc import Callable
import json
import os
import pathlib
import random
import shutil
import sys
import time
from typing import Any

import proofs

from benchmarks import markdown
import crash

_HEAD = 'what is finished', 'damaged', 'same', 'refused', 'found', 'faults'
_MOST_FAULTS = 20


def search(name: str, root: pathlib.Path, seconds: float, seed: int) -> dict:
  """Damages one kind; makes this process one of no other use.

  Args:
    name: of the kind.
    root: beside whose `data` it lies, see `subjects.ready`.
    seconds: how long.
    seed: of the damage.

  Returns:
    How many files were damaged, what the answers were, and the faults.
  """
  # pylint: disable=import-outside-toplevel
  from crash import finished
  from crash import harm
  from crash import server

  kind, rng = finished.KINDS[name], random.Random(seed)
  whole, box = root / 'whole', root / 'box'
  for folder in whole, box:
    shutil.rmtree(folder, ignore_errors=True)
  whole.mkdir()
  code, said = server.run(kind.first, whole)
  if code:
    raise RuntimeError(f'{name}: exit code {code}: {said[-2000:]}')

  def fresh() -> None:
    shutil.rmtree(box, ignore_errors=True)
    shutil.copytree(whole, box)

  fresh()
  os.chdir(box)
  target = box / kind.target
  names = finished.names(kind)
  want: dict[str, Any] = {}
  for action in kind.actions:
    outcome = action.do()
    if outcome.code:
      raise RuntimeError(f'{name}, {action.name}: {outcome}')
    want[action.name] = outcome.gave
  found, faults, number = collections.Counter(), [], 0
  end = time.monotonic() + seconds
  while time.monotonic() < end and len(faults) < _MOST_FAULTS:
    _renew(whole / kind.target, target)
    damage = rng.getstate()
    changed = harm.harm(target, names, rng)
    if not changed:
      continue
    number += 1
    after = rng.getstate()
    for action in kind.actions:
      if number % action.every:
        continue
      outcome = action.do()
      wrong = finished.fault(action, outcome, want[action.name], changed)
      if wrong:
        faults.append(f'{action.name}: {finished.shown(wrong, changed)}')
      found[_answer(outcome)] += 1
      if action.mends:  # The next one finds the same damage.
        _renew(whole / kind.target, target)
        rng.setstate(damage)
        harm.harm(target, names, rng)
        rng.setstate(after)
  return {'damaged': number, 'faults': faults, **found}


def _answer(outcome: Any) -> str:
  return {0: 'same', 1: 'found'}.get(outcome.code, 'refused')


def _renew(whole: pathlib.Path, target: pathlib.Path) -> None:
  shutil.rmtree(target, ignore_errors=True)
  shutil.copytree(whole, target)


def _apart(function: Callable[[], dict], base: pathlib.Path) -> dict:
  """What a function returns in a fork."""
  answer = base / 'answer'
  pid = os.fork()
  if not pid:
    code = 1
    try:
      answer.write_text(json.dumps(function()))
      code = 0
    except BaseException as error:  # pylint: disable=broad-except
      print(repr(error)[-3000:], file=sys.__stderr__, flush=True)
    finally:
      os._exit(code)
  _, status = os.waitpid(pid, 0)
  if status:
    raise RuntimeError(f'exit code {os.waitstatus_to_exitcode(status)}')
  return json.loads(answer.read_text())


def main(words: list[str]) -> int:
  """Returns 1 where something was wrong."""
  given = proofs.arguments(words, 120, 'names')
  rows, faults = [], []
  with crash.prepared('damage_') as root:
    # pylint: disable=import-outside-toplevel
    from crash import finished

    for called in given.names or finished.KINDS:
      found = _apart(
        lambda called=called: search(called, root, given.seconds, given.seed),
        root,
      )
      counts = (found.get(what, 0) for what in ('same', 'refused', 'found'))
      rows.append((called, found['damaged'], *counts, len(found['faults'])))
      print(rows[-1], file=sys.stderr, flush=True)
      faults += [f'{called}, {fault}' for fault in found['faults']]
  print(*faults, sep='\n', file=sys.stderr)
  if given.json:
    print(json.dumps(rows))
  else:
    markdown.put_rows(proofs.PAGE, 'damage', _HEAD, rows)
  return int(bool(faults))


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
