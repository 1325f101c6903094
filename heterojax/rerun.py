"""A stage of a finished run, computed once more from what the run stored."""

from collections.abc import Iterator
import contextlib
import fnmatch
import pathlib
import shutil
import stat
import tempfile

from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.run import artifacts
from heterojax.run import locks
from heterojax.studies import reading
from heterojax.studies import registry
from heterojax.studies import running
from heterojax.version import __version__

# What each stage writes for the stages after it, in words.
_OUTPUT = {
  'heads': 'trained heads',
  'verdict': 'answered questions',
  'cluster': 'stored clusters',
  'features': 'computed features',
  'all': 'artifacts',
}
STAGES = tuple(_OUTPUT)
_ALWAYS = ('config.json', 'environment.json')
_PREFIX = 'heterojax-rerun-'  # Of temporary folders.
_LOCK = '.lock'
_INPUTS = ('features/*', 'checkpoints/*', 'cohort/*')


@contextlib.contextmanager
def of(
  folder: pathlib.Path, stage: str, allow_mismatch: bool = False
) -> Iterator[pathlib.Path]:
  """Runs a study as if its stage had been lost, in a temporary folder.

  That folder gets copies of what the other stages stored, and the study resumes
  there: a run that was killed goes on in the same way.

  Args:
    folder: of a finished run whose artifacts are as they were written.
    stage: one of `STAGES`.
    allow_mismatch: also in another environment than the run's.

  Yields:
    The folder of the second run, which is taken away afterwards.

  Raises:
    RefusedError: in another environment.
    UserError: if there is no such stage, or this study has none.
  """
  if stage not in STAGES:
    raise UserError(
      f'--rerun is {stage!r}, but must be one of {", ".join(STAGES)}.'
    )
  sealed = artifacts.read(folder)
  config = reading.load(folder / 'config.json')
  release = reading.load(folder / 'environment.json').get('heterojax')
  # Before its configuration, which may have other fields, is read.
  if release != __version__ and not allow_mismatch:
    raise RefusedError(
      f'{folder} is a run of heterojax {release}, and this is {__version__}:'
      ' rerun it there, or allow it here with --allow_mismatch.'
    )
  outputs = {**registry.get(config.get('study')).outputs, 'all': ('*',)}
  lost = {name for name in sealed if _matches(name, outputs.get(stage, ()))}
  if not lost:
    raise UserError(
      f'The run in {folder} has no {_OUTPUT[stage]} of its own, so'
      f' --rerun={stage} has nothing to compute: use --rerun=all.'
    )
  with _scratch() as scratch:
    workdir = scratch / 'run'
    for name in sealed:
      kept = _matches(name, _INPUTS) and name not in lost
      if kept or name in _ALWAYS:
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, workdir / name)
    running.run(config, workdir, allow_mismatch=allow_mismatch)
    yield workdir


@contextlib.contextmanager
def _scratch() -> Iterator[pathlib.Path]:
  """A temporary folder; those that killed processes left are removed."""
  with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
    folder = pathlib.Path(name)
    with locks.exclusive(folder / _LOCK):
      _remove_others(folder)
      yield folder


def _remove_others(folder: pathlib.Path) -> None:
  """Removes this user's folders that no process has locked."""
  own = folder.lstat()
  for other in folder.parent.glob(f'{_PREFIX}*'):
    # What another process removes, or has locked, is none that was left.
    with contextlib.suppress(OSError, UserError):
      status = other.lstat()
      is_of_user = stat.S_ISDIR(status.st_mode) and status.st_uid == own.st_uid
      # Without a lock it is the user's, or its process is about to lock it.
      if is_of_user and (other / _LOCK).exists():
        with locks.exclusive(other / _LOCK):
          shutil.rmtree(other)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
  return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
