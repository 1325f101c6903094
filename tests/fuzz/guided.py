"""Tries inputs that are made from those which reached new lines of a reader.

PYTHONPATH=tests python -m fuzz.guided [--seconds=60] [--seed=0] [KIND ...]

Seconds are those of each kind. What reached something new is kept in `corpus`,
and the table in `docs/proofs.md`; with --json it is printed and nothing kept.
"""

import base64
import collections
from collections.abc import Iterator
import json
import os
import pathlib
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
from types import CodeType
from types import FrameType
from typing import Any, NamedTuple

import proofs

from benchmarks import markdown
from fuzz import mutations
from fuzz import worker
from fuzz.harness import Input
import heterojax

# Which modules read which kind; the rest of the package is not looked at.
KINDS = {
  'weights': ('backbones/weight_files/', 'backbones/sources.py'),
  'features npz': ('datasets/npz.py', 'datasets/ready.py'),
  'features table': ('datasets/feature_', 'datasets/headers.py'),
  'folder table': ('datasets/folder.py', 'datasets/tables.py'),
  'medmnist npz': ('datasets/medmnist.py',),
  'dicom': ('datasets/dicom.py',),
  'image': ('datasets/images.py', 'datasets/pixels.py', 'datasets/content.py'),
  'prepared data': ('datasets/prepared.py',),
  'fail_if': ('records/conditions.py', 'records/foretell.py'),
}
_APART = ('keras_h5_script.py',)  # In a process of its own.
_PACKAGE = pathlib.Path(heterojax.__file__).parent
_CORPUS = pathlib.Path(__file__).parent / 'corpus'
_LONGEST = 8_000  # Bytes of an input that is kept in the repository,
_OF_KIND = 30_000  # and of all of a kind.
_SECONDS_OF_ONE = 30

Line = tuple[str, int]


class Found(NamedTuple):
  """What came of the inputs of a kind."""

  inputs: int
  outcomes: collections.Counter[str]
  faults: list[tuple[str, str, Input]]
  lines: set[Line]
  kept: list[Input]


class _Lines:
  """Lines of a kind's modules that run, and from which to which."""

  def __init__(self, kind: str) -> None:
    self._files = {str(path) for path in modules(kind)}
    self.seen: set[Line] = set()
    self.steps: set[tuple[CodeType, int, int]] = set()

  def __enter__(self) -> None:
    threading.settrace(self._enter)
    sys.settrace(self._enter)

  def __exit__(self, *_: object) -> None:
    sys.settrace(None)
    threading.settrace(None)  # pyright: ignore[reportArgumentType]

  def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
    del event, arg
    code, last = frame.f_code, 0
    if code.co_filename not in self._files:
      return None

    def step(frame: FrameType, event: str, arg: Any) -> Any:
      nonlocal last
      del arg
      if event == 'line':
        self.seen.add((code.co_filename, frame.f_lineno))
        self.steps.add((code, last, frame.f_lineno))
        last = frame.f_lineno
      return step

    return step


def explore(
  kind: str, seconds: float, seed: int, start: list[Input], note: pathlib.Path
) -> Found:
  """Tries inputs in this process, which is then of no other use.

  Args:
    kind: of inputs.
    seconds: how long.
    seed: of the changes.
    start: inputs to begin with, beside the sound ones.
    note: a file that has the input which is tried.
  """
  rng, lines = random.Random(seed), _Lines(kind)
  base = note.parent
  subject, guard, ceiling = worker.begin(kind, base)
  found = Found(0, collections.Counter(), [], lines.seen, [])
  pool: list[Input] = []

  def attempt(given: Input) -> None:
    nonlocal found
    note.write_bytes(pickle.dumps(tuple(given)))
    known = len(lines.steps)
    signal.alarm(_SECONDS_OF_ONE)  # Ends the process.
    with lines:
      outcome, detail = worker.judge(
        subject, base, tuple(given), guard, ceiling
      )
    signal.alarm(0)
    found = found._replace(inputs=found.inputs + 1)
    found.outcomes[outcome] += 1
    if outcome not in ('accepted', 'refused'):
      found.faults.append((outcome, detail, given))
    elif len(lines.steps) > known:
      pool.append(given)
      found.kept.append(given)

  for given in (*subject.sound(), *start):
    attempt(given)
  found.kept[: len(subject.sound())] = []
  end = time.monotonic() + seconds
  while time.monotonic() < end and len(found.faults) < 20:
    attempt(mutations.of(rng.choice(pool), pool, rng))
  return found


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
      given = Input(*pickle.loads((base / 'input').read_bytes()))
      code = os.waitstatus_to_exitcode(status)
      said = (base / 'said').read_text(errors='replace')[-2000:]
      outcome = 'hung' if code == -signal.SIGALRM else 'crashed'
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


def coverage(kind: str, lines: set[Line]) -> tuple[int, int]:
  """How many lines of the functions of a kind's modules ran, and of how many.

  Args:
    kind: of inputs.
    lines: that ran.
  """
  there = set()
  for path in modules(kind):
    whole = compile(path.read_text(), str(path), 'exec')
    there |= {(str(path), line) for line in _of_functions(whole)}
  return len(there & lines), len(there)


def modules(kind: str) -> list[pathlib.Path]:
  """The files of the modules that read a kind."""
  return [
    path
    for path in _PACKAGE.rglob('*.py')
    if path.relative_to(_PACKAGE).as_posix().startswith(KINDS[kind])
    and path.name not in _APART
  ]


def _of_functions(code: CodeType) -> Iterator[int]:
  for inner in code.co_consts:
    if isinstance(inner, CodeType):
      if inner.co_flags & 2:  # CO_NEWLOCALS: no body of a class.
        first = inner.co_firstlineno
        yield from {
          line for *_, line in inner.co_lines() if line and line != first
        }
      yield from _of_functions(inner)


def main(words: list[str]) -> int:
  """Returns 1 where an input did what none may."""
  given = proofs.arguments(words, 60, 'kinds')
  rows, faults = [], []
  for kind in given.kinds or KINDS:
    found = apart(kind, given.seconds, given.seed)
    ran, there = coverage(kind, found.lines)
    rows.append((
      kind,
      found.inputs,
      found.outcomes['accepted'],
      len(found.faults),
      f'{ran} of {there} ({100 * ran / max(there, 1):.0f} %)',
    ))
    faults += [(kind, *fault) for fault in found.faults]
    print(rows[-1], file=sys.stderr, flush=True)
    if not given.json and not found.faults:
      keep(kind, found.kept)
  for kind, outcome, detail, bad in faults:
    print(kind, outcome, detail[-1500:], repr(bad)[:300], file=sys.stderr)
  if given.json:
    print(json.dumps(rows))
  else:
    head = 'input', 'tried', 'accepted', 'crashes', 'lines of the readers'
    markdown.put(proofs.PAGE, 'inputs', markdown.table(head, rows))
  return int(bool(faults))


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
