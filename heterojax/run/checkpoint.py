"""Checkpoints: trees of arrays that survive, and show that they did.

All that touches Orbax. It writes arrays so that they are there whole or not at
all, and reads flipped bits of theirs back without a word: so a digest of every
leaf is kept beside it, which is written last and looked at on every reading.
"""

from collections.abc import Iterable, Iterator
import contextlib
import hashlib
import json
import logging
import math
import pathlib
import shutil
import time
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import v1

from heterojax.compute import memory
from heterojax.compute.arrays import bytes_of
from heterojax.errors import Interrupted
from heterojax.errors import UserError
from heterojax.run import artifacts
from heterojax.run import atomic
from heterojax.run import interruption
from heterojax.run import run_folder
from heterojax.version import __version__

_LOG = logging.getLogger(__name__)
_ARRAYS = 'arrays'
_DIGESTS = 'digests.json'
_FILES = 'files.json'
_DAMAGED = 'damaged_'
_STEPS = 'steps'
_LONGEST_REASON = 200
# Of a checkpoint, that it cannot be written or read.
_NOT_ITS_FAULT = (Interrupted, MemoryError)
# Of the time between two saved steps, what saving may take.
_MOST_SHARE = 0.1
_SECONDS_OF_THE_FIRST = 0.1

# Of several processes the first one alone has checkpoints.
_LEADER = {
  'primary_host': 0,
  'active_processes': {0},
  'barrier_sync_key_prefix': 'leader',
}

Leaves = dict[str, np.ndarray]


def digest(value: Any) -> str:
  """Digest of a tree's names, types, shapes and bytes; other leaves as JSON."""
  hasher = hashlib.blake2b(digest_size=16)
  for path, leaf in jax.tree_util.tree_leaves_with_path(value):
    hasher.update(jax.tree_util.keystr(path).encode())
    if isinstance(leaf, (np.ndarray, np.generic, jax.Array)):
      leaf = np.asarray(leaf)
      hasher.update(f'{leaf.dtype}{leaf.shape}'.encode())
      # By rows: a mapped file need not fit into the memory.
      for row in leaf if leaf.ndim > 1 else [leaf]:
        hasher.update(bytes_of(row))
    else:
      hasher.update(json.dumps(leaf, sort_keys=True).encode())
  return hasher.hexdigest()


def of_texts(texts: Iterable[str]) -> str:
  """Digest of texts in their order, however many."""
  hasher = hashlib.blake2b(digest_size=16)
  for text in texts:
    hasher.update(f'{len(text)}:{text}'.encode())
  return hasher.hexdigest()


def save(path: pathlib.Path, tree: Any, about: str) -> None:
  """Writes a checkpoint; what was there before is replaced, its steps go.

  Args:
    path: its folder.
    tree: of arrays that are not empty.
    about: digest of all that they depend on.

  Raises:
    UserError: if it cannot be written.
  """
  leaves = _leaves(tree)
  index = {
    'release': __version__,
    'about': about,
    'leaves': {name: digest(leaf) for name, leaf in leaves.items()},
  }
  index['digest'] = run_folder.digest(index)
  try:
    path.mkdir(parents=True, exist_ok=True)
    # Without it there is no checkpoint, whatever else is there.
    (path / _DIGESTS).unlink(missing_ok=True)
    with _quiet():
      _saver().save(
        (path / _ARRAYS).absolute(), ocp.args.PyTreeSave(leaves), force=True
      )
    files = run_folder.to_json(_files(path / _ARRAYS))
    atomic.write(path / _FILES, files)
    atomic.write(path / _DIGESTS, run_folder.to_json(index))
    _clear_steps(path)
  except _NOT_ITS_FAULT:
    raise
  # Orbax raises whatever its storage does.
  except Exception as error:  # pylint: disable=broad-except
    raise UserError(
      f'{path} cannot be written ({_first_line(error)}): mend that and give'
      ' the same command, which goes on from what is there.'
    ) from error


def load(path: pathlib.Path, about: str | None = None) -> Leaves | None:
  """Reads a checkpoint that is whole and of the same things.

  One that is damaged is set aside, and a sentence says so. With `about` its
  steps go, which a kill after the last one left.

  Args:
    path: its folder.
    about: see `save`; without it, of whatever things and release.

  Returns:
    The leaves by their name in the tree, numbers as `[1]`; None without them.
  """
  if not (path / _DIGESTS).exists():
    return None
  try:
    index = json.loads((path / _DIGESTS).read_text())
    written = index.pop('digest')
    if written != run_folder.digest(index):
      raise ValueError(f'{_DIGESTS} is not as it was written')
    # Another release may have kept other things, or computed them otherwise.
    if about and (about, __version__) != (index['about'], index.get('release')):
      return None
    # Before Orbax reads them: it fills the terminal where it fails.
    if json.loads((path / _FILES).read_text()) != _files(path / _ARRAYS):
      raise ValueError('its files are not as they were written')
    with _alone():
      arrays = _arrays(str((path / _ARRAYS).absolute()))
    leaves = {name: np.atleast_1d(leaf) for name, leaf in arrays.items()}
    wrong = index['leaves'].items() ^ {
      (name, digest(leaf)) for name, leaf in leaves.items()
    }
    if wrong:
      raise ValueError(f'{min(wrong)[0]} is not as it was written')
    if about:
      _clear_steps(path)
    return leaves
  except _NOT_ITS_FAULT:
    raise
  # As above.
  except Exception as error:  # pylint: disable=broad-except
    reason = _first_line(error)
    aside = path.with_name(f'{_DAMAGED}{path.name}')
    shutil.rmtree(aside, ignore_errors=True)
    path.rename(aside)
    _LOG.warning('%s is damaged (%s): set aside as %s.', path, reason, aside)
    return None


def restore(template: Any, leaves: Leaves) -> Any:
  """Leaves in a tree of the shapes of a template.

  Raises:
    KeyError: if the template has a leaf that is not there.
  """

  def find(path: Any, leaf: Any) -> np.ndarray:
    return leaves[_name(path)].reshape(leaf.shape)

  return jax.tree_util.tree_map_with_path(find, template)


class Steps:
  """Checkpoints of one training, the last ones of which are kept.

  Args:
    path: of the checkpoint that they lead to.
    about: digest of all that the training depends on.
    keep: how many.

  Attributes:
    resumed: the step that `latest` gave; 0 before, and without any.
  """

  def __init__(self, path: pathlib.Path, about: str, keep: int = 2):
    self._folder, self._about, self._keep = path / _STEPS, about, keep
    self.resumed = 0
    self._saved, self._saving = time.monotonic(), _SECONDS_OF_THE_FIRST

  def latest(self) -> tuple[int, Leaves]:
    """The last state that is whole, and how many steps led to it.

    Damaged ones after it are set aside. Without any: no step and no leaves.
    """
    for path in self._paths():
      leaves = load(path, self._about)
      if leaves is not None:
        self.resumed = int(leaves.pop('step')[0])
        _LOG.info('Resuming after step %d of %s.', self.resumed, self._folder)
        return self.resumed, leaves
    return 0, {}

  def save(self, number: int, state: dict[str, Any]) -> None:
    """Keeps the state after so many steps."""
    start = time.monotonic()
    path = self._folder / f'{number:06d}'
    save(path, {'step': np.int64(number), **state}, self._about)
    paths = self._paths()
    # What is after it is of another training.
    own = [other for other in paths if other.name <= path.name]
    for old in {*paths} - {*own[: self._keep]}:
      shutil.rmtree(old)
    self._saved = time.monotonic()
    self._saving = self._saved - start

  def due(self) -> bool:
    """Whether to save now: it takes time, or the run is asked to stop."""
    passed = time.monotonic() - self._saved
    return interruption.asked() or self._saving <= _MOST_SHARE * passed

  def _paths(self) -> list[pathlib.Path]:
    """Folders of steps, last ones first."""
    folders = self._folder.glob('[0-9]*')
    return sorted(folders, key=lambda path: path.name, reverse=True)


def _clear_steps(path: pathlib.Path) -> None:
  shutil.rmtree(path / _STEPS, ignore_errors=True)


def _saver() -> ocp.Checkpointer:
  """Orbax's older interface: the newer one's saving waits for all processes."""
  alone = ocp.options.MultiprocessingOptions(**_LEADER)
  handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
  return ocp.Checkpointer(handler, multiprocessing_options=alone)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """Keeps Orbax from printing tracebacks before what we say of a full disk."""
  its_log = logging.getLogger('absl')
  level = its_log.level
  its_log.setLevel(logging.CRITICAL)
  try:
    yield
  finally:
    its_log.setLevel(level)


def _alone() -> v1.Context:
  context = v1.Context()
  for name, value in _LEADER.items():
    setattr(context.multiprocessing, name, value)
  return context


def _arrays(path: str) -> dict[str, Any]:
  """All arrays; ValueError where they say to be more than the memory."""
  declared = sum(
    math.prod(leaf.shape) * leaf.dtype.itemsize
    for leaf in v1.metadata(path).metadata.values()
  )
  # Its reader would end the process.
  if declared > (memory.most() or declared):
    raise ValueError(f'its arrays say to be {declared / 1e9:,.0f} GB')
  return v1.load(path)


def _leaves(tree: Any) -> Leaves:
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  return {_name(path): np.atleast_1d(leaf) for path, leaf in leaves}


def _files(folder: pathlib.Path) -> dict[str, dict[str, Any]]:
  """Digests of all files; their names are Orbax's and differ in every run."""
  return {
    path.relative_to(folder).as_posix(): artifacts.fingerprint(path)
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def _first_line(error: Exception) -> str:
  text = getattr(error, 'strerror', None) or str(error)
  return (text.splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]


def _name(path: Any) -> str:
  return jax.tree_util.keystr(path, simple=True, separator='.')
