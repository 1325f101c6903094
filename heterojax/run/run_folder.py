"""The run folder: one owner, one configuration, whole files only."""

from collections.abc import Iterable, Iterator, Sequence
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
from typing import Any

from heterojax import addresses
from heterojax import regular_files
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import contents
from heterojax.run import interruption
from heterojax.run import links
from heterojax.run import locks
from heterojax.run import logs

_CONFIG = 'config.json'
_ENVIRONMENT = 'environment.json'
_RESULTS = 'results.json'
# Their lock tells that it is theirs; data that were in memory have a name that
# none other has.
_EARLY = {*contents.LEFT, contents.INPUT}


def to_json(value: Any) -> str:
  """JSON with a fixed key order; a NaN is a mistake, not a value."""
  return json.dumps(value, indent=2, allow_nan=False) + '\n'


def read_json(path: pathlib.Path) -> dict[str, Any]:
  """The JSON object that a file holds.

  Raises:
    OSError: if it cannot be read.
    ValueError: if it holds anything else.
  """
  try:
    found = json.loads(regular_files.read(path))
  except RecursionError as error:
    raise ValueError('it nests too deeply') from error
  if not isinstance(found, dict):
    raise ValueError('it is no object')
  return found


def digest(value: Any) -> str:
  """Fingerprint of anything JSON can write."""
  text = json.dumps(value, sort_keys=True, allow_nan=False)
  return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@contextlib.contextmanager
def locked(path: pathlib.Path, purpose: str, flag: str) -> Iterator[None]:
  """Keeps every other process from writing into a folder.

  Args:
    path: of the folder; made where it is missing.
    purpose: what the folder is, for messages.
    flag: that named it.

  Yields:
    Nothing.

  Raises:
    UserError: if it cannot be written, is an address, or holds a link or
      another thing that is no file where a run writes.
    RefusedError: if another process has it.
  """
  if addresses.is_address(str(path)):
    raise UserError(addresses.refusal(f'--{flag}', str(path)))
  try:
    lock = locks.exclusive(path / contents.LOCK)
  except BlockingIOError as error:
    raise RefusedError(
      f'{path} is in use by another run: wait for it, or choose another'
      f' --{flag}.'
    ) from error
  except OSError as error:
    raise UserError(
      f'{path} cannot be the {purpose} ({error.strerror}): choose another'
      f' --{flag}.'
    ) from error
  with lock:
    links.refuse(path)
    locks.refuse_others(path / contents.LOCK)
    yield


@contextlib.contextmanager
def shared(
  path: pathlib.Path, config: dict[str, Any], flag: str
) -> Iterator[None]:
  """Keeps runs out of a folder while several processes work for one.

  Args:
    path: of the folder; made where it is missing.
    config: the resolved configuration of that one.
    flag: that named the folder.

  Yields:
    Nothing.

  Raises:
    UserError: see `locked`.
    RefusedError: if a run has it, or it holds what is no run's, or a run of
      another configuration.
  """
  _check_left(path)
  try:
    path.mkdir(parents=True, exist_ok=True)
    links.opened(path / contents.LOCK, 'a').close()
    lock = locks.shared(path / contents.LOCK)
  except BlockingIOError as error:
    raise RefusedError(
      f'{path} is in use by a run: wait for it, or choose another --{flag}.'
    ) from error
  except OSError as error:
    raise UserError(
      f'{path} cannot be written ({error.strerror}): choose another --{flag}.'
    ) from error
  with lock:
    links.refuse(path)
    locks.refuse_others(path / contents.LOCK)
    _check_config(path, config)
    yield


@contextlib.contextmanager
def opened(
  path: pathlib.Path,
  config: dict[str, Any],
  environment: dict[str, Any],
  *,
  allow_mismatch: bool = False,
) -> Iterator[pathlib.Path]:
  """Owns a run folder while a study runs in it.

  A folder that held no run before and gets no artifact is taken away again, so
  that a user's mistake leaves nothing behind.

  Args:
    path: of the folder; made where it is missing.
    config: the resolved configuration; `begin` writes it.
    environment: versions, flags and devices, see `heterojax.run.environment`.
    allow_mismatch: go on with a run of another environment all the same.

  Yields:
    The folder.

  Raises:
    UserError: if it cannot be a folder, its name is no text, or it holds a link
      where a run writes.
    RefusedError: if another process uses it, or it is of another configuration
      or environment, or holds what is no run's where a run writes.
  """
  _check_is_text(path)
  existed = os.path.isdir(path)
  # What is there before is the user's, or of an earlier start, and stays.
  own = [
    name
    for name in (contents.LOG, contents.INSPECTED, contents.LOCK)
    if not os.path.exists(path / name)
  ]
  _check_left(path)
  with locked(path, 'run folder', 'workdir'):
    try:
      _check_is_free(path)
      _check_config(path, config)
      if not allow_mismatch:
        _check_environment(path, environment)
      log = links.opened(path / contents.LOG, 'a', encoding='utf-8')
      with logs.kept(log):
        yield path
    finally:
      if not (path / _CONFIG).exists():
        if interruption.asked():  # The next start goes on with it.
          own = [name for name in own if name != contents.INSPECTED]
        _clear(path, own, folder=not existed)


def begin(
  path: pathlib.Path,
  config: dict[str, Any],
  environment: dict[str, Any],
  command: str,
  data: str,
) -> None:
  """Writes `config.json`: from here on the folder belongs to this run.

  Args:
    path: of the folder.
    config: see `opened`.
    environment: see `opened`.
    command: that began it. It and the date stand in a file of their own, as
      results are the same whenever they are computed; what resumes the run
      leaves it.
    data: fingerprint of what is studied, see `check_data`; of the last start,
      as data may change before a run is finished.
  """
  before = begun(path)
  if before is None:
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
    before = {'date': date, 'command': command}
  if before.get('data') != data:
    text = to_json({**before, 'data': data})
    atomic.write(path / contents.BEGUN, text)
  # First: a folder with a configuration has an environment.
  atomic.write(path / _ENVIRONMENT, to_json(environment))
  atomic.write(path / _CONFIG, to_json(config))


def _check_is_text(path: pathlib.Path) -> None:
  """Raises a UserError for a path not in UTF-8, as no checkpoint can have."""
  try:
    str(path.absolute()).encode()
  except UnicodeEncodeError as error:
    raise UserError(
      f'{path.absolute()} has letters that are not in UTF-8, as names from'
      ' older systems may, and no checkpoint can be written there: choose'
      ' another --workdir.'
    ) from error


def _check_left(path: pathlib.Path) -> None:
  """What starts leave, and was there before the first, is the user's."""
  left = _present(path, contents.LEFT)
  if left and not _present(path, (contents.LOCK, _CONFIG)):
    links.refuse(path)  # Which says what to delete.
    raise _not_free(path, left[0])


def _check_is_free(path: pathlib.Path) -> None:
  """What has the name of an artifact, and is of no run, is the user's."""
  if (path / _CONFIG).exists():
    return
  early = _EARLY | (
    {_ENVIRONMENT} if (path / contents.BEGUN).exists() else set()
  )
  names = (*contents.FILES, *contents.FOLDERS, 'features/features.npy')
  if others := _present(path, [name for name in names if name not in early]):
    raise _not_free(path, others[0])


def _present(path: pathlib.Path, names: Iterable[str]) -> list[str]:
  return [name for name in names if os.path.lexists(path / name)]


def _not_free(path: pathlib.Path, name: str) -> RefusedError:
  return RefusedError(
    f'{path} holds {name}, but no run ({_CONFIG} is missing), and a run would'
    ' write over it: choose another --workdir.'
  )


def begun(path: pathlib.Path) -> dict[str, str] | None:
  """What `begin` wrote; None where it is not legible.

  Args:
    path: of the folder.

  Returns:
    The `date` (UTC) and `command` of the first start and, but for a run of an
    early release, the `data` of the last one.
  """
  try:
    match read_json(path / contents.BEGUN):
      case {'date': str(), 'command': str()} as found:
        return found
  except (OSError, ValueError):
    pass
  return None


def check_data(path: pathlib.Path, data: str) -> None:
  """Raises a RefusedError where a folder has the results of other data.

  Of the same flags the data are others where an image was added or changed, or
  where a relative path is given in another folder; so may the weights be. The
  results would be lost, and tables that the others have not would stay among
  theirs. Fingerprints of another release may differ for the same data: these
  results are kept, too.
  """
  before = begun(path) or {}
  if (path / _RESULTS).exists() and before.get('data', data) != data:
    raise RefusedError(
      f'{path} holds the results of other data or weights: what data.dir,'
      ' data.external or backbone.weights names has changed since, is given in'
      ' another folder, or was read otherwise by another release. Choose'
      f' another --workdir, or delete {path} first.'
    )


def _check_environment(path: pathlib.Path, environment: dict[str, Any]) -> None:
  """Bits are only promised for the same one."""
  if not (path / _CONFIG).exists():
    return
  stored = path / _ENVIRONMENT
  try:
    before = read_json(stored)
  except (OSError, ValueError) as error:
    raise RefusedError(
      f'{stored} cannot be read, so nobody knows where the run in {path} was'
      ' begun: choose another --workdir, or go on with --allow_mismatch.'
    ) from error
  check_environment(path, before, environment)


def keep_environment(
  path: pathlib.Path, environment: dict[str, Any], flag: str
) -> None:
  """Writes what a folder is begun in.

  Args:
    path: of the folder, owned.
    environment: of this process.
    flag: that named the folder.

  Raises:
    RefusedError: if it was begun in another one.
  """
  try:
    check_environment(path, read_json(path / _ENVIRONMENT), environment, flag)
  except (FileNotFoundError, ValueError):
    atomic.write(path / _ENVIRONMENT, to_json(environment))


def check_environment(
  path: pathlib.Path,
  before: dict[str, Any],
  now: dict[str, Any],
  flag: str = 'workdir',
) -> None:
  """Raises a RefusedError where a folder was begun in another environment."""
  before, now = _flat(before), _flat(json.loads(json.dumps(now)))
  changed = sorted({key for key, _ in before.items() ^ now.items()})
  if changed:
    (key, *others) = changed
    more = f' and {len(others)} more' if others else ''
    was, is_now = (of.get(key, 'absent') for of in (before, now))
    raise RefusedError(
      f'{path} was begun in another environment ({key} was {was} and is'
      f' {is_now}{more}), where its bits may differ: go on there, choose'
      f' another --{flag}, or allow it with --allow_mismatch.'
    )


def is_one(path: pathlib.Path) -> bool:
  """Whether a folder holds a run, whether it ended or not."""
  return (path / _CONFIG).is_file() and (path / _ENVIRONMENT).is_file()


def _check_config(path: pathlib.Path, config: dict[str, Any]) -> None:
  stored = path / _CONFIG
  if not stored.exists():
    return
  try:
    before = read_json(stored)
  except (OSError, ValueError) as error:
    raise RefusedError(
      f'{stored} cannot be read, so the run in {path} cannot be resumed:'
      ' choose another --workdir.'
    ) from error
  now = json.loads(json.dumps(config))
  if before != now:
    changed = sorted(
      _flat(before).items() ^ _flat(now).items(),
      # What a user changed, before what follows from it.
      key=lambda field: (field[0] != 'data.dir', field),
    )
    raise RefusedError(
      f'{path} holds a run of another configuration ({changed[0][0]} differs):'
      ' choose another --workdir, or give the same flags to resume it.'
    )


def _flat(tree: dict[str, Any], prefix: str = '') -> dict[str, str]:
  flat = {}
  for key, value in tree.items():
    if isinstance(value, dict) and value:
      flat |= _flat(value, f'{prefix}{key}.')
    else:
      flat[f'{prefix}{key}'] = repr(value)
  return flat


def _clear(path: pathlib.Path, names: Sequence[str], *, folder: bool) -> None:
  for name in names:
    # What an earlier start left is told by its lock.
    if name == contents.LOCK and _present(path, contents.LEFT):
      continue
    with contextlib.suppress(PermissionError):  # Windows keeps what is open.
      (path / name).unlink(missing_ok=True)
  if folder:
    with contextlib.suppress(OSError):  # Something else is in it: leave it.
      path.rmdir()
