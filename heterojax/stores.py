"""Object stores: what s3:// and gs:// name, as files of this machine.

Objects are copied below `$HETEROJAX_CACHE/objects` and read there like any
other file: readers look at a file more than once, map it into memory and seek
in it, which no store does well. A copy has the size and time of its object, as
rsync leaves it, and in the digits of that time below a millisecond what the
store says of its content: S3 tells seconds alone. By these the next run knows
what it need not copy again, so nothing else is kept, and a copy that was
interrupted goes on.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import datetime
import hashlib
import logging
import os
import pathlib
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple, cast
import unicodedata

from heterojax import addresses
from heterojax.compute import cache
from heterojax.errors import HeterojaxError
from heterojax.errors import UserError
from heterojax.run import links
from heterojax.run import locks
from heterojax.run import progress

if TYPE_CHECKING:
  from fsspec import AbstractFileSystem

_LOG = logging.getLogger(__name__)
_AT_ONCE = 64  # Objects: many small requests, few open files.
_SHOWN = 5  # Names of what is left out.
_LONGEST = 200  # Bytes of a name, so that an unfinished copy has room for more.
_TIMES = ('LastModified', 'mtime', 'updated', 'created')  # One per store.
_TAGS = ('ETag', 'etag')  # Of an object's content.
_TICK = 100  # Nanoseconds that any disk keeps apart: Windows'.


class Object(NamedTuple):
  """What a store lists.

  Attributes:
    key: its name in the store, bucket first.
    size: bytes.
    changed: milliseconds since 1970.
    tag: what the store says of its content; '' where it says nothing.
  """

  key: str
  size: int
  changed: int
  tag: str = ''


def fetch(address: str, option: str) -> pathlib.Path:
  """Copies what an address names, or what of it is not here yet.

  Args:
    address: of a folder or an object, as s3://bucket/images.
    option: that has it, for messages.

  Returns:
    The copy: a folder or a file.

  Raises:
    UserError: if it cannot be read, there is no room for it, or the packages
      that read it are missing.
  """
  if (found := addresses.stored(address)) is None:
    raise UserError(addresses.refusal(option, address))
  scheme, key = found
  if not _is_path(key):
    raise UserError(f'{option} is {address}, which names no file: mend it.')
  root = cache.folder() / 'objects' / scheme
  try:
    with _locked(root, key):
      return mirror(_store(scheme), key, root)
  # Each store has its own errors, of rights, networks and regions.
  except Exception as error:  # pylint: disable=broad-except
    # Of this machine, as a full disk, is what has the name of a file.
    if isinstance(error, HeterojaxError) or getattr(error, 'filename', None):
      raise
    said = f'{option} is {address}, {_why(error, scheme)}.'
    raise UserError(said) from error


def mirror(
  store: 'AbstractFileSystem', key: str, root: pathlib.Path
) -> pathlib.Path:
  """Makes files below a folder those that a store has.

  Args:
    store: to read.
    key: of an object, or of a folder of them, bucket first.
    root: the folder, in which each file is found by its key.

  Returns:
    The file, or the folder; files in it that the store lacks are removed.

  Raises:
    UserError: if there is nothing to copy or no room for it, an object changes
      meanwhile, a link leads out of the folder, or the disk takes two names for
      the same one.
    FileNotFoundError: if there is no such object or folder.
  """
  target, info = root / key, store.info(key)
  links.refuse_between(root, target)
  if info['type'] == 'file':
    objects = [_described(key, info)]
  else:
    objects = _usable(list(_listed(store, key)), key)
  _remove_others(target, {root / o.key for o in objects})
  _make_way(root, root / objects[0].key)
  missing = [o for o in objects if not _is_copy(root / o.key, o)]
  _LOG.info(
    'Objects of %s: %d, of which %d have to be copied to %s.',
    key,
    len(objects),
    len(missing),
    target,
  )
  root.mkdir(parents=True, exist_ok=True)
  size = sum(o.size for o in missing)
  if size > (free := shutil.disk_usage(root).free):
    raise UserError(
      f'{key} has {size / 1e9:,.1f} GB that have to be copied to {target},'
      f' where {free / 1e9:,.1f} GB are free: name a folder on a larger disk'
      ' with the environment variable HETEROJAX_CACHE.'
    )
  with progress.Progress('copied', len(missing), 'objects') as bar:
    for some in _batches(missing):
      _copy(store, some, root)
      bar.update(len(some))
  _check_apart(root, objects)
  return target


def _store(scheme: str) -> 'AbstractFileSystem':
  # pylint: disable-next=import-outside-toplevel
  import fsspec

  # What was listed before may have changed since.
  return fsspec.filesystem(
    scheme, use_listings_cache=False, skip_instance_cache=True
  )


def _why(error: Exception, scheme: str) -> str:
  """The end of a sentence on what a store, or its package, raised."""
  if isinstance(error, ImportError):
    return (
      f'and reading {scheme}:// needs packages that are not installed: pip'
      " install 'heterojax[cloud]'"
    )
  if isinstance(error, FileNotFoundError):
    return (
      'but there is no such object or folder: check bucket and path, and that'
      ' you may list them'
    )
  said = ' '.join(str(error).split()).rstrip('.')
  return (
    f'which cannot be read ({type(error).__name__}: {said}): check that you are'
    ' signed in and may read it'
  )


def _locked(root: pathlib.Path, key: str) -> contextlib.AbstractContextManager:
  """Waits until no other process copies from the same bucket."""
  return locks.awaited(
    _beside(root, key, 'lock'),
    'Waiting for another run that copies the same bucket ...',
  )


def _beside(root: pathlib.Path, key: str, name: str) -> pathlib.Path:
  """A path of our own beside a bucket's: none may have such a name."""
  return root / f'{key.partition("/")[0]}~{name}'


def _listed(store: 'AbstractFileSystem', key: str) -> Iterator[Object]:
  found = cast(dict[str, Any], store.find(key, detail=True))
  while found:  # A listing of a million objects takes memory: no second one.
    name, info = found.popitem()
    name = name.removeprefix(store.root_marker)
    # An object called like a folder is how consoles show an empty one.
    if info['type'] == 'file' and not name.endswith('/'):
      yield _described(name, info)


def _described(key: str, info: dict[str, Any]) -> Object:
  changed = next(info[name] for name in _TIMES if info.get(name))
  if isinstance(changed, str):
    changed = datetime.datetime.fromisoformat(changed)
  if isinstance(changed, datetime.datetime):
    changed = changed.timestamp()
  tag = next((info[name] for name in _TAGS if info.get(name)), '')
  return Object(key, info['size'], round(1000 * changed), tag)


def _usable(objects: Sequence[Object], key: str) -> list[Object]:
  """Objects whose keys can be paths; says which are left out."""
  named, others = _parted(sorted(objects), lambda o: _is_path(o.key))
  folders = {
    str(folder)
    for o in named
    for folder in pathlib.PurePosixPath(o.key).parents
  }
  kept, covered = _parted(named, lambda o: o.key not in folders)
  others += covered
  if others:
    _LOG.warning(
      '%d objects of %s are left out, as no file can have their names: %s%s.',
      len(others),
      key,
      ', '.join(repr(o.key) for o in others[:_SHOWN]),
      ', ...' if len(others) > _SHOWN else '',
    )
  if not kept:
    raise UserError(
      f'{key} holds no object that could be read: check bucket and path.'
    )
  return kept


def _parted(
  objects: Sequence[Object], holds: Callable[[Object], bool]
) -> tuple[list[Object], list[Object]]:
  """Those of which something holds, and the others."""
  parts: tuple[list[Object], list[Object]] = [], []
  for o in objects:
    parts[not holds(o)].append(o)
  return parts


def _is_path(key: str) -> bool:
  return all(map(_is_name, key.split('/')))


def _is_name(part: str) -> bool:
  return (
    part not in ('', '.', '..')
    and len(part.encode(errors='replace')) <= _LONGEST
    and not set(part) & set('\0\\:' if os.name == 'nt' else '\0')
  )


def _is_copy(path: pathlib.Path, o: Object) -> bool:
  try:
    status = path.lstat()
  except OSError:
    return False
  return status.st_size == o.size and status.st_mtime_ns == _nanoseconds(o)


def _nanoseconds(o: Object) -> int:
  found = int(hashlib.sha256(o.tag.encode()).hexdigest(), 16) if o.tag else 0
  return o.changed * 10**6 + found % (10**6 // _TICK) * _TICK


def _remove_others(folder: pathlib.Path, kept: set[pathlib.Path]) -> None:
  """Removes files that the store has no more, and folders left empty."""
  for name, folders, files in os.walk(folder, topdown=False):
    inside = pathlib.Path(name)
    # What a link to a folder leads to is not of the store either.
    linked = [other for other in folders if (inside / other).is_symlink()]
    for path in (inside / other for other in (*linked, *files)):
      if path not in kept:
        path.unlink()
    with contextlib.suppress(OSError):  # Something is in it.
      inside.rmdir()


def _make_way(root: pathlib.Path, path: pathlib.Path) -> None:
  """Removes files where folders are to be: objects may have become such."""
  for folder in path.parents:
    if root in folder.parents and folder.is_file():
      folder.unlink()


def _check_apart(root: pathlib.Path, objects: Sequence[Object]) -> None:
  """Raises a UserError where the disk takes two names for the same one."""
  known: dict[str, str] = {}
  for o in objects:
    plain = unicodedata.normalize('NFC', o.key).casefold()
    other = known.setdefault(plain, o.key)
    if other != o.key and (root / o.key).samefile(root / other):
      raise UserError(
        f'{other} and {o.key} are one file in {root}, as its disk does not tell'
        ' their names apart: rename one, or name a folder on another disk with'
        ' the environment variable HETEROJAX_CACHE.'
      )


def _batches(objects: Sequence[Object]) -> Iterator[Sequence[Object]]:
  for start in range(0, len(objects), _AT_ONCE):
    yield objects[start : start + _AT_ONCE]


def _copy(
  store: 'AbstractFileSystem', objects: Sequence[Object], root: pathlib.Path
) -> None:
  """Copies some objects at once; each file is there whole or not at all."""
  unfinished = _beside(root, objects[0].key, 'unfinished')
  shutil.rmtree(unfinished, ignore_errors=True)  # Of a process that was killed.
  unfinished.mkdir()
  parts = [str(unfinished / str(i)) for i in range(len(objects))]
  store.get([o.key for o in objects], parts)
  for part, o in zip(parts, objects, strict=True):
    if (size := os.path.getsize(part)) != o.size:
      raise UserError(
        f'{o.key} has {size} bytes and was listed with {o.size}: it changed'
        ' while it was copied, so give the same command again.'
      )
    os.utime(part, ns=(_nanoseconds(o), _nanoseconds(o)))
    (root / o.key).parent.mkdir(parents=True, exist_ok=True)
    os.replace(part, root / o.key)
  unfinished.rmdir()
