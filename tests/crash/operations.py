"""Sees every operation of this process that changes files below a folder.

Files opened for writing, names that come, go or change, and writes, each of
which is one operation before its first and one before its second half. What
other languages do (Orbax' library in C++) is seen with the next operation.
"""

import builtins
from collections.abc import Callable
import io
import os
import sys
from typing import Any

# Of audit events, to which arguments are the path that changes and the
# descriptor of the folder that it is relative to, if any.
_PATHS: dict[str, tuple[int, int | None]] = {
  'os.chmod': (0, 2),
  'os.link': (1, 3),
  'os.mkdir': (0, 2),
  'os.remove': (0, 1),
  'os.rename': (1, 3),
  'os.rmdir': (0, 1),
  'os.symlink': (1, 2),
  'os.truncate': (0, None),
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def watch(folder: str, before: Callable[[str], None]) -> None:
  """Calls `before` with the name of each operation, as long as it lives.

  Args:
    folder: absolute; what is not below it is not seen.
    before: called in the thread of the operation, which waits for it.
  """
  inside = os.path.join(os.path.realpath(folder), '')
  plain_open = io.open

  def path_of(file: Any, within: int = -1) -> str:
    if isinstance(file, int):
      try:
        return os.readlink(f'/proc/self/fd/{file}')
      except OSError:
        return ''
    start = '' if within < 0 else path_of(within)
    return os.path.abspath(os.path.join(start, os.fsdecode(file)))

  def tell(event: str, file: Any, within: int = -1) -> None:
    if path_of(file, within).startswith(inside):
      before(event)

  def hook(event: str, args: tuple) -> None:
    if event == 'open':
      if isinstance(args[2], int) and args[2] & _WRITES and args[0] is not None:
        tell('open', args[0])
    elif event in _PATHS:
      path, within = _PATHS[event]
      tell(event, args[path], -1 if within is None else args[within])

  class File(io.FileIO):
    """Its writes are two operations."""

    def write(self, data: Any) -> int:
      view = memoryview(data).cast('B')
      half, done = len(view) // 2, 0
      for part in (view[:half], view[half:]):
        if part:
          tell('write', self.fileno())
          done += super().write(part) or 0
      return done

  def opened(file: Any, mode: str = 'r', *args: Any, **options: Any) -> Any:
    if not {*mode} & {*'wax+'} or not path_of(file).startswith(inside):
      return plain_open(file, mode, *args, **options)
    names = 'buffering', 'encoding', 'errors', 'newline', 'closefd', 'opener'
    options |= dict(zip(names, args, strict=False))
    raw = File(
      file,
      mode.replace('b', '').replace('t', ''),
      options.get('closefd', True),
      options.get('opener'),
    )
    if options.get('buffering') == 0:
      return raw
    buffer = (io.BufferedRandom if '+' in mode else io.BufferedWriter)(raw)
    if 'b' in mode:
      return buffer
    words = {n: options.get(n) for n in ('encoding', 'errors', 'newline')}
    return io.TextIOWrapper(buffer, **words)

  def telling(function: Callable[..., Any], event: str) -> Callable[..., Any]:
    def told(file: Any, *args: Any, **options: Any) -> Any:
      tell(event, file)
      return function(file, *args, **options)

    return told

  builtins.open = io.open = opened
  os.fsync = telling(os.fsync, 'fsync')
  os.write = telling(os.write, 'write')
  os.sendfile = telling(os.sendfile, 'write')
  sys.addaudithook(hook)
