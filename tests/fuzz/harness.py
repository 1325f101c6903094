"""Sends inputs to a process of their own and judges what becomes of them.

An input may be accepted or refused with one sentence, and nothing else: no
other exception, crash or hang, no memory beyond an allowance, no process, no
code of the input's own and no change outside of its work folder. Which kinds of
input there are, and what reads them, is in `subjects`.
"""

from collections import Counter
from collections.abc import Callable
import os
import pathlib
import pickle
import select
import struct
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import hypothesis
import pytest

_TESTS = pathlib.Path(__file__).resolve().parent.parent
# One usual input takes milliseconds; others may need the processor meanwhile.
SECONDS = 30
_START_SECONDS = 300
_EXAMPLES = int(os.environ.get('HETEROJAX_FUZZ_EXAMPLES', '300'))
# What a process must begin with so that its memory tells of an input alone.
LIMITS = {
  'ARROW_DEFAULT_MEMORY_POOL': 'system',  # Others reserve a GiB.
  'JAX_PLATFORMS': 'cpu',
  'MALLOC_ARENA_MAX': '1',  # Each reserves 64 MiB.
  'OMP_NUM_THREADS': '1',
}
# Inputs of each kind, by what became of them.
counts: dict[str, Counter[str]] = {}
_workers: dict[str, '_Worker'] = {}


class Input(NamedTuple):
  """What is laid out for a subject before the guard is up.

  Attributes:
    files: content by path in the input's own folder.
    links: target of each symbolic link by path there; '{outside}' stands for
      the folder that must not change.
    pipes: paths of named pipes there, at which a reader would wait for ever.
    args: what the subject is called with.
  """

  files: dict[str, bytes] = {}
  links: dict[str, str] = {}
  pipes: tuple[str, ...] = ()
  args: dict[str, Any] = {}

  def __repr__(self) -> str:
    return f'Input(args={self.args}, files={list(self.files)})'


class Verdict(NamedTuple):
  """What became of an input.

  Attributes:
    outcome: 'accepted', 'refused', or in which way it is neither.
    detail: the sentence or the traceback.
  """

  outcome: str
  detail: str = ''

  @property
  def allowed(self) -> bool:
    return self.outcome in ('accepted', 'refused')


def fuzz(share: float = 1) -> Callable:
  """Settings of a test that draws this share of the usual number of inputs."""
  return hypothesis.settings(
    max_examples=max(1, int(share * _EXAMPLES)),
    deadline=None,
    database=None,
    # Making a case smaller takes minutes; whoever mends it may want that.
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    suppress_health_check=list(hypothesis.HealthCheck),
  )


def try_one(kind: str, given: Input) -> Verdict:
  """What becomes of an input, in the process of its kind."""
  if kind not in _workers:
    _workers[kind] = _Worker(kind)
  verdict = _workers[kind].judge(given)
  if not verdict.allowed:
    _workers.pop(kind).close()
  return verdict


def check(kind: str, given: Input) -> Verdict:
  """As `try_one`, counted; fails unless the input is accepted or refused."""
  verdict = try_one(kind, given)
  counts.setdefault(kind, Counter())[verdict.outcome] += 1
  if not verdict.allowed:
    pytest.fail(f'{kind}: {verdict.outcome}\n{verdict.detail}', pytrace=False)
  return verdict


def count(kind: str, outcome: str) -> None:
  """Counts an input that a test tried in its own process."""
  counts.setdefault(kind, Counter())[outcome] += 1


def stop() -> None:
  """Ends all processes."""
  while _workers:
    _workers.popitem()[1].close()


class _Worker:
  """A process that tries one input after another."""

  def __init__(self, kind: str):
    self._folder = tempfile.TemporaryDirectory(prefix='heterojax-fuzz-')
    folder = pathlib.Path(self._folder.name)
    for name in ('home', 'here', 'tmp'):
      (folder / name).mkdir()
    environment = (
      os.environ
      | LIMITS
      | {
        'HOME': str(folder / 'home'),
        'MPLCONFIGDIR': str(folder),
        'PYTHONDONTWRITEBYTECODE': '1',
        'PYTHONPATH': f'{_TESTS}:{_TESTS.parent}',
        'TMPDIR': str(folder / 'tmp'),
      }
    )
    with (folder / 'stderr').open('wb') as stderr:
      self._process = subprocess.Popen(
        [sys.executable, '-m', 'fuzz.worker', kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=folder / 'here',
        env=environment,
      )
    answer = self._answer(_START_SECONDS)
    if answer[0] != 'ready':
      self.close()
      pytest.exit(f'{kind}: {" ".join(answer)}')

  def judge(self, given: Input) -> Verdict:
    content = pickle.dumps(tuple(given))
    try:
      self._process.stdin.write(struct.pack('<Q', len(content)) + content)
      self._process.stdin.flush()
    except BrokenPipeError:
      return Verdict('crashed', self._last_words())
    return Verdict(*self._answer(SECONDS))

  def _answer(self, seconds: float) -> tuple[str, str]:
    pipe = self._process.stdout
    if not select.select([pipe], [], [], seconds)[0]:
      return 'hung', f'nothing came of it in {seconds} s'
    head = pipe.read(8)
    if len(head) < 8:
      return 'crashed', self._last_words()
    return pickle.loads(pipe.read(*struct.unpack('<Q', head)))

  def _last_words(self) -> str:
    code = self._process.wait()
    stderr = (pathlib.Path(self._folder.name) / 'stderr').read_bytes()
    return f'exit code {code}: {stderr[-2000:].decode(errors="replace")}'

  def close(self) -> None:
    self._process.kill()
    self._process.wait()
    self._process.stdin.close()
    self._process.stdout.close()
    self._folder.cleanup()
