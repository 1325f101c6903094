"""One file of a folder damaged as disks, copies and editors do it."""

import pathlib
import random

_BLOCK = 512


def harm(
  folder: pathlib.Path, names: list[str], rng: random.Random
) -> set[str]:
  """Damages a file, or two that change places.

  Args:
    folder: holds them.
    names: of its files; one is drawn.
    rng: decides.

  Returns:
    Names of what is not as it was; none where the damage changed nothing.
  """
  name = rng.choice(names)
  path = folder / name
  how = rng.choice((_flipped, _cut, _zeroed, _doubled, None, None))
  before = path.read_bytes()
  if how is None and rng.random() < 0.5:
    path.unlink()
    return {name}
  if how is None:
    other = folder / rng.choice(names)
    after = other.read_bytes()
    other.write_bytes(before)
    changed = {name, other.relative_to(folder).as_posix()}
  else:
    after, changed = how(bytearray(before), rng), {name}
  path.write_bytes(after)
  return changed if after != before else set()


def _flipped(data: bytearray, rng: random.Random) -> bytearray:
  if data:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
  return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
  return data[: rng.randrange(len(data) + 1)]


def _zeroed(data: bytearray, rng: random.Random) -> bytearray:
  start = rng.randrange(len(data) // _BLOCK + 1) * _BLOCK
  size = len(data[start : start + _BLOCK])
  data[start : start + size] = bytes(size)
  return data


def _doubled(data: bytearray, rng: random.Random) -> bytearray:
  """A line of a text; of other files what lies between two such bytes."""
  lines = bytes(data).splitlines(keepends=True)
  if lines:
    at = rng.randrange(len(lines))
    lines.insert(at, lines[at])
  return bytearray(b''.join(lines))
