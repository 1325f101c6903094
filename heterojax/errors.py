"""Errors that end a run with one plain sentence and a fixed exit code."""

from collections.abc import Sequence
import difflib
import pathlib


class HeterojaxError(Exception):
  """A sentence for the user: what is wrong, where, and what to do."""

  exit_code = 1


class UserError(HeterojaxError):
  """A mistake in usage, data or weights."""

  exit_code = 2


class Interrupted(HeterojaxError):
  """The run was stopped from outside; the same command resumes it."""

  exit_code = 3


class UnexpectedError(HeterojaxError):
  """A mistake of this program (EX_SOFTWARE of sysexits.h)."""

  exit_code = 70


class LostProcess(HeterojaxError):
  """One of several processes is gone (EX_TEMPFAIL of sysexits.h)."""

  exit_code = 75


class RefusedError(HeterojaxError):
  """The run folder, the environment or the arithmetic forbids the run."""

  exit_code = 4


def damaged(path: pathlib.Path, why: str) -> UserError:
  """What to say of a file of a run that is not as the run wrote it."""
  return UserError(f'{path} is damaged ({why}): run the study again.')


def printable(said: object) -> str:
  """What is said, on one line that is safe to print.

  Names of files, classes and columns come from outside, and a terminal obeys
  control characters.

  Args:
    said: an error, or a text.

  Returns:
    Printable characters.
  """
  return ''.join(
    c if c.isprintable() else c.encode('unicode_escape').decode()
    for c in ' '.join(str(said).splitlines())
  )


def nearest_field(path: str, known: Sequence[str]) -> str:
  """The field that was probably meant; '' where none is near.

  Args:
    path: as it was written, such as 'data.dri' or 'positive'.
    known: paths of all fields.
  """
  last = path.rpartition('.')[2].lower()
  same = [field for field in known if field.rpartition('.')[2].lower() == last]
  leaves = {field.rpartition('.')[2]: field for field in reversed(known)}
  return next(
    iter(
      difflib.get_close_matches(path, known, 1, 0.8)
      or difflib.get_close_matches(path, same, 1, 0)
      or [
        leaves[leaf] for leaf in difflib.get_close_matches(last, leaves, 1, 0.8)
      ]
    ),
    '',
  )
