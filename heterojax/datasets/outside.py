"""Images that lie outside of the folder of their data: by path, or by a link.

A table may name any file of the machine, and a folder hold links to others. It
is common, and said, so that nobody reads what he did not mean to.
"""

from collections import Counter
import functools
import logging
import os
import pathlib

from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files

_LOG = logging.getLogger(__name__)
_MOST_FOLDERS = 3


def notes(cohort: Cohort) -> tuple[str, ...]:
  """A sentence, where images lie outside; the log has the folders in full.

  Args:
    cohort: none of whose images was looked at.
  """
  if not isinstance(cohort.source, Files):
    return ()
  root = os.path.realpath(cohort.source.root)

  @functools.cache
  def outside(folder: str) -> pathlib.Path | None:
    """Where a folder is; None inside of the root."""
    real = pathlib.Path(os.path.realpath(folder))
    return None if real.is_relative_to(root) else real

  # In order, on which the sentence depends.
  paths = dict.fromkeys(c.path for c in cohort.included if '\0' not in c.path)
  paths.pop('', None)  # Of a row without one.
  folders: Counter[pathlib.Path] = Counter()
  for path in paths:
    file = os.path.join(root, path)
    if os.path.islink(file):
      file = os.path.realpath(file)
    folder = outside(os.path.dirname(file))
    if folder and os.path.exists(file):
      folders[folder] += 1
  if not folders:
    return ()
  said = (
    f'{folders.total():,} of {len(paths):,} images lie outside of the folder'
    f' {os.path.basename(root) or root}'
  )
  shown = [folder for folder, _ in folders.most_common(_MOST_FOLDERS)]
  more = len(folders) - len(shown)
  rest = f' and {more:,} more' if more else ''
  _LOG.info('%s: in %s%s.', said, ', '.join(map(str, shown)), rest)
  # Of folders above the data it says nothing to others.
  names = ', '.join(folder.name or '/' for folder in shown)
  return (f'{said}: in {names}{rest}.',)
