"""Files that are there whole or not at all, and stay."""

from collections.abc import Iterable, Mapping
import contextlib
import os
import pathlib
import secrets

from heterojax.run import links


def write(path: pathlib.Path, data: str | bytes | Iterable[str]) -> None:
  """Writes a file so that it is there whole or not at all.

  Args:
    path: of the file.
    data: its content; a long text may come in parts.

  Raises:
    OSError: if it cannot be written; names the path.
    UserError: if a link, a pipe or a device is there.
  """
  write_together({path: data})


def write_together(
  contents_of: Mapping[pathlib.Path, str | bytes | Iterable[str]],
) -> None:
  """Writes files so that on a full disk each is as it was before.

  Args:
    contents_of: their paths, in the order in which they come to be there.

  Raises:
    OSError: see `write`.
    UserError: likewise.
  """
  # Not `tempfile`, whose files are this user's alone whatever umask says.
  unfinished = {
    path: path.with_name(f'.{path.name}.{secrets.token_hex(8)}')
    for path in contents_of
  }
  for path in contents_of:
    links.refuse_at(path)
  try:
    for path, data in contents_of.items():
      path.parent.mkdir(parents=True, exist_ok=True)
      parts = [data] if isinstance(data, str | bytes) else data
      with links.named(path), open(unfinished[path], 'xb') as file:
        for part in parts:
          file.write(part.encode() if isinstance(part, str) else part)
        file.flush()
        os.fsync(file.fileno())
    for path, name in unfinished.items():
      with links.named(path):
        os.replace(name, path)
  except BaseException:
    for name in unfinished.values():
      with contextlib.suppress(OSError):  # It was not made.
        name.unlink()
    raise


def keep(paths: Iterable[pathlib.Path]) -> None:
  """Has the disk keep files that were written, should the machine die.

  Args:
    paths: of what another file, written afterwards, says to be there, or of
      copies of what is taken away afterwards.

  Raises:
    OSError: if it cannot; names the path.
  """
  for path in paths:
    with links.named(path), links.opened(path, 'r+b') as file:
      os.fsync(file.fileno())
