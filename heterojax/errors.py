"""Errors that end a run with one plain sentence and a fixed exit code."""


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


class RefusedError(HeterojaxError):
  """The run folder, the environment or the arithmetic forbids the run."""

  exit_code = 4
