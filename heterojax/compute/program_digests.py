"""Digests of compiled programs, in a file beside them that `b2sum -c` reads.

JAX writes a program in place, and never again what is there: one that a killed
process left half written, or a disk changed, would be reported and compiled
anew by every later run. They tell damage; against others the folder is closed.
"""

import hashlib
import os
import pathlib

NAME = 'B2SUMS'
_PROGRAM = '-cache'  # How JAX ends their names.


class Digests:
  """The digests of the programs in a folder.

  Args:
    folder: where JAX keeps them.
  """

  def __init__(self, folder: pathlib.Path):
    self._folder, self._path = folder, folder / NAME
    self._known: dict[str, str] = {}

  def remove_damaged(self) -> int:
    """Removes programs that are not as they were noted; says how many."""
    self._known = _read(self._path)
    damaged = [
      name
      for name in self._programs()
      if self._known.get(name) != _digest(self._folder / name)
    ]
    for name in damaged:
      (self._folder / name).unlink(missing_ok=True)
      self._known.pop(name, None)
    return len(damaged)

  def note(self) -> None:
    """Notes the programs that are new."""
    new = {
      name: _digest(self._folder / name)
      for name in self._programs()
      if name not in self._known
    }
    if new:
      lines = ''.join(f'{digest}  {name}\n' for name, digest in new.items())
      # At once, as others may do the same.
      descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
      with os.fdopen(descriptor, 'wb', buffering=0) as file:
        file.write(lines.encode())
      self._known |= new

  def _programs(self) -> list[str]:
    return [n for n in os.listdir(self._folder) if n.endswith(_PROGRAM)]


def _read(path: pathlib.Path) -> dict[str, str]:
  """Digest by name; the last one counts, and what is no line does not."""
  try:
    lines = path.read_text(errors='replace').splitlines()
  except FileNotFoundError:
    return {}
  pairs = (line.partition('  ') for line in lines)
  return {name: digest for digest, _, name in pairs}


def _digest(path: pathlib.Path) -> str:
  """Hexadecimal BLAKE2b; '' of what is gone or cannot be read."""
  try:
    return hashlib.blake2b(path.read_bytes()).hexdigest()
  except OSError:
    return ''
