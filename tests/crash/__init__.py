"""Kills at every operation on files, and damage to them; minutes to hours."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import tempfile


@contextlib.contextmanager
def prepared(prefix: str) -> Iterator[pathlib.Path]:
  """A folder with the data of all subjects, programs and temporary files.

  The variables that name it are read by what is imported after this.
  """
  with tempfile.TemporaryDirectory(prefix=prefix) as name:
    os.environ['HETEROJAX_CACHE'] = f'{name}/programs'
    os.environ['TMPDIR'] = name
    # pylint: disable-next=import-outside-toplevel
    from crash import subjects

    root = pathlib.Path(name)
    subjects.ready(root)
    yield root
