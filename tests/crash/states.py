"""What lies in a folder, as one key: the same key, the same way to go on.

Left out is what differs between two runs that are the same: the log, names that
are drawn at random, of which any number are as one, and of files with times or
such names in them all but about how long they are.
"""

from collections.abc import Iterator
import hashlib
import os
import pathlib
import re

_RANDOM = re.compile(
  r'(?<=\.)[0-9a-f]{16}$'  # `atomic.write`.
  r'|(?<=incomplete\.)[A-Z0-9]{6}'  # TensorFlow Datasets.
  r'|\b[0-9a-f]{32}\b'  # Orbax.
  r'|(?<=tmp/)[^/]+'
)
_OF_CLOCK = re.compile(
  r'\b(begun\.json|results\.json|report\.html|artifacts\.json|files\.json'
  r'|timings|_METADATA|dataset_info\.json)|/arrays|digests\.json'
)
_LOG = 'log.txt'

# Of files by number, length and time of change, to the digest of what is in it.
_KNOWN: dict[tuple[int, int, int], str] = {}


def key(folder: pathlib.Path) -> str:
  """A digest of names, kinds and contents below a folder."""
  return hashlib.sha256(repr(sorted({*_entries(folder)})).encode()).hexdigest()


def _entries(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  for root, folders, files in os.walk(folder):
    for name in (*folders, *files):
      path = os.path.join(root, name)
      told = _RANDOM.sub('*', os.path.relpath(path, folder))
      yield told, _content(path, told) if name in files else 'folder'


def _content(path: str, told: str) -> str:
  if told.endswith(_LOG):
    return ''
  status = os.stat(path)
  if _OF_CLOCK.search(told):
    # Empty, half and whole ones differ, and longer or shorter times do not.
    return str(status.st_size.bit_length())
  known = status.st_ino, status.st_size, status.st_mtime_ns
  if known not in _KNOWN:
    with open(path, 'rb') as file:
      _KNOWN[known] = hashlib.file_digest(file, 'sha256').hexdigest()
  return _KNOWN[known]
