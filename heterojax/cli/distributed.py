"""Flags of a command that several processes run together."""

from collections.abc import Iterator
import contextlib
import sys

from absl import flags

# What has met the others, once it is imported: JAX comes with it.
_PROCESSES = 'heterojax.run.processes'

FLAGS = (
  (flags.DEFINE_string, 'distributed', 'none', 'none|auto|slurm|explicit.'),
  (flags.DEFINE_string, 'coordinator', None, 'HOST:PORT of process 0.'),
  (flags.DEFINE_integer, 'processes', None, 'How many processes there are.'),
  (flags.DEFINE_integer, 'process', None, 'Which one this is, from 0.'),
)


@contextlib.contextmanager
def joined(values: flags.FlagValues) -> Iterator[bool]:
  """See `processes.joined`; yields whether this process leads."""
  # pylint: disable-next=import-outside-toplevel
  from heterojax.run import processes

  place = values.coordinator, values.processes, values.process
  with processes.joined(values.distributed, processes.Place(*place)) as leads:
    yield leads


def leave(code: int) -> int:
  """See `processes.leave`; a command may end before it joins any."""
  joined_by = sys.modules.get(_PROCESSES)
  return joined_by.leave(code) if joined_by else code
