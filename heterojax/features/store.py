"""Features in a file, block by block, each with its digest.

The index grows by a line per block, so that writing it takes a time that is
linear in the number of images, and an interrupted run loses one block.
"""

from collections.abc import Generator
import contextlib
import hashlib
import json
import logging
import math
import pathlib
from typing import Any

import numpy as np

from heterojax.compute.arrays import bytes_of
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import links
from heterojax.run import run_folder

_LOG = logging.getLogger(__name__)


def header_of(
  shape: tuple[int, int], block_size: int, fingerprint: Any
) -> dict[str, Any]:
  """The first line of the index, which is equal for equal features.

  Args:
    shape: `(P, D)` of all features.
    block_size: rows that are written at a time.
    fingerprint: anything that, when changed, makes what is there invalid.
  """
  return {
    'shape': list(shape),
    'block_size': block_size,
    'fingerprint': run_folder.digest(fingerprint),
  }


class Store:
  """`features.npy`, and `blocks.jsonl` with the digests of its blocks of rows.

  Args:
    folder: of the two files.
    header: see `header_of`.

  Attributes:
    header: the same.
    blocks: rows of each.
  """

  def __init__(self, folder: pathlib.Path, header: dict[str, Any]):
    self._array = folder / 'features.npy'
    self._index = folder / 'blocks.jsonl'
    self.header = header
    self._shape = rows, _ = tuple(header['shape'])
    size = header['block_size']
    self.blocks = [
      slice(start, min(start + size, rows)) for start in range(0, rows, size)
    ]
    self._digests: dict[int, str] = {}

  def find(self) -> bool:
    """Whether an earlier run began these features; writes nothing."""
    header, *lines = self._stored() or [None]
    if header != self.header or not self._fits():
      return False
    starts = {block.start for block in self.blocks}
    for line in lines:
      match line:
        case {'start': int(start), 'digest': str(digest)} if start in starts:
          self._digests[start] = digest
    return True

  @property
  def is_whole(self) -> bool:
    """Whether all blocks were written, as far as the index says."""
    return len(self._digests) == len(self.blocks)

  def open(self) -> None:
    """Finds what an earlier run finished, or starts anew."""
    if not self.find():
      if self._index.exists():
        _LOG.warning(
          'Images, weights or settings are not those that %s was begun with:'
          ' features are computed anew.',
          self._array,
        )
      self._begin()
    self._save_index()

  def _begin(self) -> None:
    """An array without rows, in a file of its own."""
    self._array.unlink(missing_ok=True)
    with self._writing(), links.opened(self._array, 'xb') as file:
      np.lib.format.write_array_header_1_0(
        file, {'descr': '<f4', 'fortran_order': False, 'shape': self._shape}
      )
      file.truncate(file.tell() + 4 * math.prod(self._shape))

  def _stored(self) -> list[Any]:
    """The lines of the index; what cannot be read is None."""
    if not self._index.exists():
      return []
    lines: list[Any] = []
    for text in self._index.read_bytes().splitlines():
      try:
        lines.append(json.loads(text))
      # The last one, of a run that was killed, or damaged.
      except (ValueError, RecursionError):
        lines.append(None)
    return lines

  def _fits(self) -> bool:
    try:
      array = np.lib.format.open_memmap(self._array, 'r')
    except (OSError, ValueError):
      _LOG.warning('%s is damaged: features are computed anew.', self._array)
      return False
    # Rows are written one after the other.
    found = array.shape, array.dtype, array.flags.c_contiguous
    return found == (self._shape, np.float32, True)

  def missing(self) -> list[slice]:
    """Blocks that are not there, or not as they were written."""
    if not self._digests:
      return self.blocks
    array = np.load(self._array, mmap_mode='r')
    missing = []
    for block in self.blocks:
      known = self._digests.get(block.start)
      if known != _digest(array[block]):
        missing.append(block)
        if self._digests.pop(block.start, None):
          _LOG.warning(
            'Rows %d to %d of %s are damaged: computed anew.',
            block.start,
            block.stop,
            self._array,
          )
    done = self._shape[0] - sum(b.stop - b.start for b in missing)
    _LOG.info('Resuming: %d of %d features are there.', done, self._shape[0])
    return missing

  def read(self, block: slice) -> np.ndarray | None:
    """Rows of a block; None where they are not as they were written."""
    rows = np.load(self._array, mmap_mode='r')[block]
    return rows if self._digests.get(block.start) == _digest(rows) else None

  def write(self, block: slice, values: np.ndarray) -> None:
    rows = np.ascontiguousarray(values.reshape(len(values), -1))
    start = np.lib.format.open_memmap(self._array, 'r').offset
    start += block.start * rows[0].nbytes
    with self._writing():
      # Not through the map: a full disk would end the process without a word.
      # No flush: should the machine die before the system writes the rows,
      # their digest tells, and they are computed anew.
      with links.opened(self._array, 'r+b') as file:
        file.seek(start)
        file.write(bytes_of(rows))
      self._digests[block.start] = _digest(rows)
      with links.opened(self._index, 'a', encoding='utf-8') as file:
        file.write(_line(block.start, self._digests[block.start]))

  @contextlib.contextmanager
  def _writing(self) -> Generator[None, None, None]:
    try:
      yield
    except OSError as error:
      raise UserError(
        f'{self._array} cannot be written ({error.strerror}): mend that and'
        ' give the same command, which goes on from here.'
      ) from error

  def close(self) -> np.ndarray:
    """The whole array; the index of a run that was resumed is put in order."""
    self._save_index()
    return np.load(self._array, mmap_mode='r')

  def keep(self) -> None:
    """Has the disk keep what was written: its source is to be taken away."""
    with self._writing():
      atomic.keep((self._array, self._index))

  def digest(self) -> str:
    """Digest of all rows."""
    return run_folder.digest([self.header, sorted(self._digests.items())])

  def _save_index(self) -> None:
    lines = [json.dumps(self.header) + '\n']
    lines += [_line(*known) for known in sorted(self._digests.items())]
    text = ''.join(lines)
    # What is finished stays as it is.
    if not self._index.exists() or self._index.read_bytes() != text.encode():
      atomic.write(self._index, text)


def _line(start: int, digest: str) -> str:
  return json.dumps({'start': start, 'digest': digest}) + '\n'


def _digest(rows: np.ndarray) -> str:
  return hashlib.blake2b(bytes_of(rows), digest_size=16).hexdigest()
