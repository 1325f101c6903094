"""What a user does with damaged files: it gives the same, or a sentence.

Each kind is something finished, and what is done with it. Everything is done in
one process that has JAX, of which a fork is made for each kind.
"""

from collections.abc import Callable, Iterator
import contextlib
import io
import json
import pathlib
import re
import shutil
from typing import Any, NamedTuple

from crash import server
from crash import subjects
import heterojax
from heterojax import cli
from heterojax import datasets
from heterojax.compute import program_digests
from heterojax.datasets import images
from heterojax.errors import HeterojaxError
from heterojax.errors import UserError
from heterojax.launch import compare
from heterojax.launch import features
from heterojax.launch import report
from heterojax.launch import verify
from heterojax.run import contents

# Exit codes of a mistake, and of a folder that is not the same run's any more.
_REFUSED = 2, 4
_FOUND = 1  # Of `verify`, which names what it found.


class Outcome(NamedTuple):
  """What came of an action.

  Attributes:
    gave: what must not be other than of whole files; None without an answer.
    said: everything that was said.
    code: 0 with an answer.
  """

  gave: Any
  said: str
  code: int


class Action(NamedTuple):
  """What a user does.

  Attributes:
    name: of it.
    do: in the folder.
    every: done once for so many damaged files; it takes as long.
    mends: whether it changes the folder.
  """

  name: str
  do: Callable[[], Outcome]
  every: int = 1
  mends: bool = False


class Kind(NamedTuple):
  """Something finished.

  Attributes:
    first: makes it, in the current folder, in a fork of its own.
    target: name of the folder that is damaged.
    actions: what is done with it.
    kept: names within it that are never damaged: logs and locks.
  """

  first: server.Command
  target: str
  actions: tuple[Action, ...]
  kept: tuple[str, ...] = (contents.LOCK, contents.LOG)


def _command(
  main: Callable[[list[str]], int],
  *words: str,
  gives: Callable[[], Any] = lambda: None,
) -> Callable[[], Outcome]:
  """A command of the command line, and what it leaves."""

  def do() -> Outcome:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
      code = main(['heterojax', *words])
    return Outcome(None if code else gives(), said.getvalue(), code)

  return do


def _call(give: Callable[[], Any]) -> Callable[[], Outcome]:
  """A function of Python, which raises what a user is told."""

  def do() -> Outcome:
    try:
      return Outcome(give(), '', 0)
    except HeterojaxError as error:
      said = f'heterojax: {cli.sentence(error)}\n'
      return Outcome(None, said, error.exit_code)

  return do


def _loaded() -> Any:
  study = heterojax.load('a')
  columns = {name: [*values] for name, values in study.images_.items()}
  return repr((study.results_, columns))


def _compared() -> dict[str, str]:
  return subjects.described(pathlib.Path('compared'))


def _drawn() -> dict[str, str]:
  drawn = 'tables/', 'figures/', 'report.html'
  found = subjects.described(pathlib.Path('a'))
  return {name: it for name, it in found.items() if name.startswith(drawn)}


def _whole(folder: str) -> Callable[[], Any]:
  return lambda: subjects.described(pathlib.Path(folder))


def _packed() -> Any:
  """The images of packed data and all that is told of them."""
  words = pathlib.Path('packed'), ('yes', 'no')
  cohort = datasets.read('folder', *words)
  try:
    return [
      (c, images.digest(cohort.source.read(c.path))) for c in cohort.candidates
    ]
  except images.UnreadableImage as error:  # A study says which one.
    raise UserError(f'{cohort.source.root}: {error}') from error


def _programs() -> dict[str, bytes]:
  """Programs that JAX will run: those which are as they were."""
  folder = pathlib.Path('programs')
  program_digests.Digests(folder).remove_damaged()
  return {path.name: path.read_bytes() for path in folder.glob('*-cache')}


def _keep_programs() -> int:
  pathlib.Path('programs').mkdir()
  for number in range(6):
    data = f'program {number}\n'.encode() * 200
    pathlib.Path(f'programs/{number}-cache').write_bytes(data)
  program_digests.Digests(pathlib.Path('programs')).note()
  return 0


_BOTH = '--workdirs=a,b', '--out=compared'
_COMPARE = _command(compare.main, *_BOTH, gives=_compared)


def _of_a_run(*words: str, every: int) -> tuple[Action, ...]:
  again = _command(subjects.study.main, *words, gives=_whole('a'))
  return (
    Action('verify', _command(verify.main, '--workdir=a')),
    Action('load', _call(_loaded)),
    Action('compare', _COMPARE, every=5),
    Action(
      'report',
      _command(report.main, '--workdir=a', gives=_drawn),
      every=every,
      mends=True,
    ),
    Action('again', again, every=every, mends=True),
  )


def _two(*words: str) -> server.Command:
  def both() -> int:
    code = subjects.study.main(['study', *words])
    shutil.copytree('a', 'b')
    return code

  return both


def _compared_once() -> int:
  code = _two(*_A)()
  return code or compare.main(['compare', *_BOTH])


def _sharded() -> int:
  return max(
    features.main(['features', *_TOY, f'--shard={i}/2']) for i in range(2)
  )


_A = (*subjects.RETRAINING, '--workdir=a')
_SIZES = (*subjects.SIZES, '--workdir=a')
_TOY = (*subjects.TOY_STUDY, '--workdir=a')
KINDS = {
  'retraining': Kind(_two(*_A), 'a', _of_a_run(*_A, every=25)),
  'sample size': Kind(_two(*_SIZES), 'a', _of_a_run(*_SIZES, every=25)),
  'comparison': Kind(
    _compared_once,
    'compared',
    (Action('compare', _COMPARE, mends=True),),
  ),
  'prepared data': Kind(
    subjects.SUBJECTS['prepare'].command,
    'packed',
    (Action('read', _call(_packed)),),
  ),
  'shards': Kind(
    _sharded,
    'a',
    (
      Action(
        'join',
        _command(subjects.study.main, *_TOY, gives=_whole('a')),
        mends=True,
      ),
    ),
  ),
  'programs': Kind(
    _keep_programs, 'programs', (Action('start', _call(_programs), mends=True),)
  ),
}


def fault(
  action: Action, outcome: Outcome, want: Any, changed: set[str]
) -> str:
  """What is wrong with what came of damaged files; empty if nothing is.

  Args:
    action: that was done.
    outcome: of it.
    want: what it gives of whole files.
    changed: names of the damaged ones.
  """
  said = [line for line in outcome.said.splitlines() if line]
  if 'Traceback' in outcome.said:
    return f'a traceback: {outcome.said[-1000:]}'
  named = any(
    re.search(rf'(?<![\w.-]){re.escape(part)}(?![\w-])', outcome.said)
    for name in changed
    for part in _parts(name)
  )
  if action.name == 'verify':
    right = outcome.code == _FOUND and named
    return '' if right else f'not found: {outcome}'
  if outcome.code == 0:
    if action.name == 'start':  # What is left out is made anew.
      right = outcome.gave.items() <= want.items()
      return '' if right else 'a damaged program is run'
    return '' if outcome.gave == want else f'other results: {outcome.said}'
  sentences = [line for line in said if line.startswith('heterojax: ')]
  if outcome.code not in _REFUSED or len(sentences) != 1:
    return f'exit code {outcome.code}: {outcome.said[-1000:]}'
  return '' if named else f'names nothing of it: {sentences[0]}'


def _parts(name: str) -> Iterator[str]:
  """A file's name, and the folders that a sentence may name instead."""
  path = pathlib.PurePosixPath(name)
  yield path.name
  yield from (str(above) for above in path.parents if above.name)


def names(kind: Kind) -> list[str]:
  """Files that may be damaged, of the current folder."""
  target = pathlib.Path(kind.target)
  return sorted(
    path.relative_to(target).as_posix()
    for path in target.rglob('*')
    if path.is_file() and path.name not in kind.kept
  )


def shown(problem: str, changed: set[str]) -> str:
  return json.dumps([sorted(changed), problem[-1500:]])
