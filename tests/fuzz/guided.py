"""Tries inputs that are made from those which reached new lines of a reader.

PYTHONPATH=tests python -m fuzz.guided [--seconds=60] [--seed=0] [KIND ...]

Seconds are those of each kind. What reached something new is kept in `corpus`,
and the table in `docs/proofs.md`, where inputs are added to those of earlier
runs: a run should have another seed. With --json it is printed, nothing kept.
"""

import base64
import collections
from collections.abc import Iterator
import contextlib
import json
import os
import pathlib
import pickle
import random
import signal
import sys
import tempfile
import time
from typing import NamedTuple

import proofs

from benchmarks import markdown
from fuzz import harness
from fuzz import lines as lines_lib
from fuzz import mutations
from fuzz import seeds
from fuzz import worker
from fuzz.harness import Input
from heterojax.backbones.weight_files import keras_h5
from heterojax.datasets import npz

_CORPUS = pathlib.Path(__file__).parent / 'corpus'
_LONGEST = 8_000  # Bytes of an input that is kept in the repository,
_OF_KIND = 30_000  # and of all of a kind.
_SECONDS_OF_ONE = 30  # Of the processor, which others may need meanwhile.
_USUAL = 5_000  # Bytes; those of more are changed less often.
_LOOKED_AT = 1 / 4  # Of changed inputs: that takes longer than to read them.
_MAPPED = 256  # Bytes, so that small arrays are mapped, too.
_ENDS = signal.SIGPROF, signal.SIGALRM


class Found(NamedTuple):
  """What came of the inputs of a kind."""

  inputs: int
  outcomes: collections.Counter[str]
  faults: list[tuple[str, str, Input]]
  lines: set[lines_lib.Line]
  kept: list[Input]


def explore(
  kind: str, seconds: float, seed: int, start: list[Input], note: pathlib.Path
) -> Found:
  """Tries inputs in this process, which is then of no other use.

  Args:
    kind: of inputs.
    seconds: how long.
    seed: of the changes.
    start: inputs to begin with, beside the sound ones and the seeds.
    note: a file that has the input which is tried.
  """
  rng, lines = random.Random(seed), lines_lib.Trace(lines_lib.modules(kind))
  base = note.parent
  keras_h5.SCRIPT = pathlib.Path(__file__).with_name('traced.py')
  os.environ[lines_lib.ELSEWHERE] = str(base / 'lines')
  made = [*seeds.of(kind)]  # Before memory is measured.
  npz._MAPPED = _MAPPED  # pylint: disable=protected-access
  subject, guard, ceiling = worker.begin(kind, base)
  found = Found(0, collections.Counter(), [], lines.seen, [])
  pool: list[Input] = []
  weights: list[float] = []

  def attempt(given: Input, looked_at: bool = True) -> None:
    nonlocal found
    note.write_bytes(pickle.dumps(tuple(given)))
    known = len(lines.steps)
    _end_after(_SECONDS_OF_ONE)
    with lines if looked_at else contextlib.nullcontext():
      outcome, detail = worker.judge(
        subject, base, tuple(given), guard, ceiling
      )
    _end_after(0)
    found = found._replace(inputs=found.inputs + 1)
    found.outcomes[outcome] += 1
    if outcome not in ('accepted', 'refused'):
      found.faults.append((outcome, detail, given))
    elif len(lines.steps) > known:
      found.kept.append(given)
      if given.files or given.args.get('text'):  # What can be changed.
        pool.append(given)
        # Long ones take long.
        size = sum(map(len, given.files.values()))
        weights.append(1 / (_USUAL + size) + (weights[-1] if weights else 0))

  for given in (*subject.sound(), *made):
    attempt(given)
  found.kept.clear()  # They need not be.
  for given in start:
    attempt(given)
  end = time.monotonic() + seconds
  while time.monotonic() < end and len(found.faults) < 20:
    (given,) = rng.choices(pool, cum_weights=weights)
    attempt(mutations.of(given, pool, rng), rng.random() < _LOOKED_AT)
  return found


def _end_after(seconds: int) -> None:
  """Ends the process after so long, or ten times that on the clock."""
  signal.setitimer(signal.ITIMER_PROF, seconds)
  signal.alarm(10 * seconds)


def apart(kind: str, seconds: float, seed: int) -> Found:
  """`explore` in a fork, once more where an input ended it."""
  total = Found(0, collections.Counter(), [], set(), [])
  end = time.monotonic() + seconds
  start = [*read(kind)]
  while True:
    with tempfile.TemporaryDirectory(prefix='guided_') as name:
      base = pathlib.Path(name)
      for inner in ('home', 'here', 'tmp'):
        (base / inner).mkdir()
      pid = os.fork()
      if not pid:
        _fork(kind, end - time.monotonic(), seed, start, base)
      _, status = os.waitpid(pid, 0)
      if not status:
        more = pickle.loads((base / 'found').read_bytes())
        return Found(
          total.inputs + more.inputs,
          total.outcomes + more.outcomes,
          total.faults + more.faults,
          total.lines | more.lines,
          more.kept,
        )
      code = os.waitstatus_to_exitcode(status)
      said = (base / 'said').read_text(errors='replace')[-2000:]
      if not (base / 'input').exists():
        raise RuntimeError(f'{kind}: {said}')
      given = Input(*pickle.loads((base / 'input').read_bytes()))
      outcome = 'hung' if -code in _ENDS else 'crashed'
      total.faults.append((outcome, f'exit code {code}: {said}', given))
      total.outcomes[outcome] += 1
      seed += 1
      if len(total.faults) > 5:
        return total


def _fork(
  kind: str, seconds: float, seed: int, start: list[Input], base: pathlib.Path
) -> None:
  code = 1
  try:
    said = os.open(base / 'said', os.O_WRONLY | os.O_CREAT)
    os.dup2(said, 1)
    os.dup2(said, 2)
    tempfile.tempdir = str(base / 'tmp')
    found = explore(kind, seconds, seed, start, base / 'input')
    (base / 'found').write_bytes(pickle.dumps(found))
    code = 0
  except BaseException:  # pylint: disable=broad-except
    worker.traceback.print_exc()
  finally:
    os._exit(code)


def read(kind: str) -> Iterator[Input]:
  """Inputs that are kept of a kind, beside the sound ones."""
  path = _CORPUS / f'{kind.replace(" ", "_")}.json'
  if not path.exists():
    return
  for files, args in json.loads(path.read_text()):
    contents = {name: base64.b64decode(text) for name, text in files.items()}
    yield Input(files=contents, args=args)


def keep(kind: str, inputs: list[Input]) -> None:
  """Writes the smallest inputs of a kind."""
  lines, size = [], 0
  for given in sorted(inputs, key=lambda i: sum(map(len, i.files.values()))):
    files = {k: base64.b64encode(v).decode() for k, v in given.files.items()}
    line = json.dumps([files, given.args])
    size += len(line)
    if len(line) > _LONGEST or size > _OF_KIND:
      break
    lines.append(line)
  _CORPUS.mkdir(exist_ok=True)
  path = _CORPUS / f'{kind.replace(" ", "_")}.json'
  path.write_text('[\n' + ',\n'.join(lines) + '\n]\n')


def main(words: list[str]) -> int:
  """Returns 1 where an input did what none may."""
  given = proofs.arguments(words, 60, 'kinds')
  rows, faults = [], []
  for kind in given.kinds or lines_lib.KINDS:
    found = apart(kind, given.seconds, given.seed)
    counted = lines_lib.counted(kind, found.lines)
    left, there = counted - found.lines, len(counted)
    ran = there - len(left)
    rows.append((
      kind,
      found.inputs,
      found.outcomes['accepted'],
      len(found.faults),
      f'{ran} of {there} ({100 * ran // max(there, 1)} %)',
    ))
    faults += [(kind, *fault) for fault in found.faults]
    print(rows[-1], file=sys.stderr, flush=True)
    for file, line in sorted(left):
      print(f'{file}:{line}', file=sys.stderr)
    if not given.json and not found.faults:
      keep(kind, found.kept)
  for kind, outcome, detail, bad in faults:
    print(kind, outcome, detail[-1500:], repr(bad)[:300], file=sys.stderr)
  if given.json:
    print(json.dumps(rows))
  else:
    head = 'input', 'tried', 'accepted', 'crashes', 'lines of the readers'
    markdown.put_rows(proofs.PAGE, 'inputs', head, rows, summed=3)
  return int(bool(faults))


if __name__ == '__main__':
  if not harness.LIMITS.items() <= os.environ.items():
    words = [sys.executable, '-m', 'fuzz.guided', *sys.argv[1:]]
    os.execve(sys.executable, words, os.environ | harness.LIMITS)
  sys.exit(main(sys.argv[1:]))
