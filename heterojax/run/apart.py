"""What a command writes lies apart from the data that it reads."""

from collections.abc import Iterable
import glob
import os
import pathlib

from heterojax.errors import UserError
from heterojax.run import contents

_OWN = (contents.LOCK, contents.TELLING[0])


def check(
  folder: pathlib.Path,
  flag: str,
  data: Iterable[str | None],
  files: str = '',
) -> None:
  """Raises a UserError where a folder to write into is one of data.

  What is written there would be taken for data, or the data there for a run's
  and left out. A new or empty folder below the data is none of them.

  Args:
    folder: to write into.
    flag: that named it.
    data: paths of what is read, as given; only folders matter.
    files: a pattern of files that are read: what is written beside them may fit
      it, too.
  """
  if not folder.exists():
    return
  own = any(os.path.lexists(folder / name) for name in _OWN)
  has_others = not own and folder.is_dir() and any(folder.iterdir())
  for path in map(os.path.expanduser, filter(None, data)):
    if not os.path.isdir(path):
      continue
    below = pathlib.Path(path).resolve() in folder.resolve().parents
    if folder.samefile(path) or below and has_others:
      raise _refusal(folder, flag)
  if glob.has_magic(files):
    found = glob.glob(os.path.expanduser(files), recursive=True)
    if any(folder.samefile(os.path.dirname(file) or '.') for file in found):
      raise _refusal(folder, flag)


def _refusal(folder: pathlib.Path, flag: str) -> UserError:
  return UserError(
    f'--{flag} is {folder}, where the data are: choose another folder.'
  )
