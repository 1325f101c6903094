"""Several processes that run one study together.

Process 0 leads: it runs the study and alone writes the run folder. The others
wait for jobs, which divide work by rows of features or by heads. A job is a
function that all processes call with the same arguments; process 0 sends its
own to the others.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from typing import Any, NamedTuple, NoReturn

import jax
import numpy as np

from heterojax.compute import arithmetic
from heterojax.compute import collectives
from heterojax.errors import HeterojaxError
from heterojax.errors import LostProcess
from heterojax.errors import UserError
from heterojax.run import peers

HOW = ('none', 'auto', 'slurm', 'explicit')
_VARIABLES = ('JAX_COORDINATOR_ADDRESS', 'JAX_NUM_PROCESSES', 'JAX_PROCESS_ID')
_OF_SLURM = (
  'SLURM_JOB_ID',
  'SLURM_STEP_NODELIST',
  'SLURM_NTASKS',
  'SLURM_PROCID',
  'SLURM_LOCALID',
)
_LOOPBACK = ('localhost', '127.0.0.1', '[::1]')
_LONGEST_ADDRESS = 512  # Bytes.
_SECONDS_TO_COME = 300
# In which the news that a process is gone comes after the error it causes.
_SECONDS_OF_NEWS = 5.0
_others: list[peers.Leader | peers.Follower] = []


class Job(NamedTuple):
  """What all processes do together, by name, and its arguments."""

  name: str
  words: dict[str, Any]
  arrays: list[np.ndarray]


class Place(NamedTuple):
  """This process among the others, as flags say it; None is what they do not.

  Attributes:
    coordinator: HOST:PORT where process 0 can be reached.
    processes: how many there are.
    process: which one this is.
  """

  coordinator: str | None = None
  processes: int | None = None
  process: int | None = None


@contextlib.contextmanager
def joined(how: str, place: Place) -> Iterator[bool]:
  """Meets the other processes, before JAX computes anything.

  Args:
    how: one of `HOW`: none, by the environment, by SLURM or by `place`.
    place: given with 'explicit' alone.

  Yields:
    Whether this process leads.

  Raises:
    UserError: if the place is not said, or the others cannot be met.
  """
  if how not in HOW:
    raise UserError(
      f'--distributed {how!r} is not one of {", ".join(HOW)} (see --help).'
    )
  if how != 'explicit' and any(given is not None for given in place):
    raise UserError(
      '--coordinator, --processes and --process belong to'
      f' --distributed=explicit, and it is {how}.'
    )
  if how == 'none':
    yield True
    return
  _initialise(how, place)
  arithmetic.start()
  _meet(place.coordinator or os.environ.get(_VARIABLES[0]) or '')
  try:
    yield leads()
  except HeterojaxError:
    raise
  except Exception:
    # Where one is gone, the others' exchange of arrays fails: that ends them.
    time.sleep(_SECONDS_OF_NEWS)
    raise


def leads() -> bool:
  """Whether this process runs the study; so does a single one."""
  return not _others or isinstance(_others[0], peers.Leader)


def leave(code: int) -> int:
  """Ends all processes with the exit code of this one.

  Args:
    code: what it is.

  Returns:
    The code, of a process alone; of several none returns.
  """
  if _others:
    _others[0].leave(code)
    peers.end(code)
  return code


def share(
  name: str, words: dict[str, Any], arrays: Sequence[np.ndarray]
) -> None:
  """Has the others do a job, which this process begins after it.

  Args:
    name: of the job.
    words: arguments that JSON can write.
    arrays: the other ones.
  """
  for leader in _others:
    assert isinstance(leader, peers.Leader)
    shapes = [(leaf.shape, leaf.dtype.str) for leaf in arrays]
    leader.tell({'job': name, 'words': words, 'arrays': shapes})
    for leaf in arrays:
      collectives.of_leader(leaf)


def jobs() -> Generator[Job, None, int]:
  """What process 0 shares, until it ends; returns its exit code."""
  (follower,) = _others
  assert isinstance(follower, peers.Follower)
  while 'end' not in (word := follower.word()):
    empty = (np.zeros(shape, dtype) for shape, dtype in word['arrays'])
    arrays = [collectives.of_leader(leaf) for leaf in empty]
    yield Job(word['job'], word['words'], arrays)
  return word['end']


def _initialise(how: str, place: Place) -> None:
  """Starts JAX's runtime of several processes."""
  known: dict[str, Any] = {}
  if how == 'slurm':
    _require(_OF_SLURM, os.environ, how)
    known['cluster_detection_method'] = 'slurm'
  elif how == 'explicit' or os.environ.get(_VARIABLES[0]):
    address, number, index = _place(how, place)
    known |= {
      'coordinator_address': address,
      'num_processes': number,
      'process_id': index,
      'cluster_detection_method': 'deactivate',
    }
    if address.rpartition(':')[0] in _LOOPBACK:
      known['coordinator_bind_address'] = address
  # It would take SIGTERM away from `interruption`.
  jax.config.update('jax_enable_preemption_service', False)
  # Where one does not come JAX would end this one without a sentence.
  waiting = threading.Timer(_SECONDS_TO_COME, _nobody_came)
  waiting.daemon = True
  waiting.start()
  try:
    jax.distributed.initialize(
      initialization_timeout=2 * _SECONDS_TO_COME, **known
    )
  # Whatever its parts raise; without a place a ValueError.
  except Exception as error:  # pylint: disable=broad-except
    raise UserError(
      f'The processes of this run cannot meet by --distributed={how}'
      f' ({_first_line(error)}): check that all were started, and with the'
      ' same address and number of processes.'
    ) from error
  finally:
    waiting.cancel()


def _nobody_came() -> NoReturn:
  error = LostProcess(
    f'Not all processes came within {_SECONDS_TO_COME} seconds: start as many'
    ' as --processes says, with the same --coordinator.'
  )
  peers.end(error.exit_code, str(error))


def _place(how: str, place: Place) -> tuple[str, int, int]:
  """Address, number and index, from flags or the environment."""
  if how == 'explicit':
    names, values = ('--coordinator', '--processes', '--process'), [*place]
  else:
    names, values = _VARIABLES, [*map(os.environ.get, _VARIABLES)]
  _require(names, dict(zip(names, values, strict=True)), how)
  address, (number, index) = str(values[0]), map(_whole, values[1:])
  if not address.rpartition(':')[2].isdigit() or ':' not in address:
    raise UserError(f'{names[0]} is {address}, but must be HOST:PORT.')
  if not 0 <= index < number:
    raise UserError(
      f'{names[2]} is {index}, but must be from 0 to {names[1]} - 1 ='
      f' {number - 1}.'
    )
  return address, number, index


def _require(names: Sequence[str], given: Mapping[str, Any], how: str) -> None:
  missing = [name for name in names if given.get(name) in (None, '')]
  if missing:
    raise UserError(
      f'--distributed={how} needs {" and ".join(missing)}: give all of'
      f' {", ".join(names)}.'
    )


def _whole(value: str | int | None) -> int:
  try:
    return int(str(value))
  except ValueError as error:
    raise UserError(f'{value!r} is no number of a process.') from error


def _meet(coordinator: str) -> None:
  """Connects every process with process 0."""
  index, number = collectives.index(), collectives.number()
  host = coordinator.rpartition(':')[0]
  sent = np.zeros(_LONGEST_ADDRESS, np.uint8)
  server = None
  if index == 0:
    server = socket.create_server((host if host in _LOOPBACK else '', 0))
    address = peers.Address(
      host or socket.gethostname(),
      server.getsockname()[1],
      secrets.token_hex(16),
    )
    text = '\n'.join(map(str, address)).encode()
    sent[: len(text)] = np.frombuffer(text, np.uint8)
  text = bytes(collectives.of_leader(sent)).rstrip(b'\0').decode()
  host, port, token = text.split('\n')
  try:
    if server:
      _others.append(peers.Leader(server, token, number))
    else:
      address = peers.Address(host, int(port), token)
      _others.append(peers.Follower(address, index, number))
      # Process 0 says what is done.
      logging.getLogger('heterojax').setLevel(logging.WARNING)
  except OSError as error:
    raise UserError(
      f'Process {index} of {number} cannot connect with process 0 at'
      f' {host}:{port} ({_first_line(error)}): open that host to the others.'
    ) from error


def _first_line(error: Exception) -> str:
  text = str(error).strip() or type(error).__name__
  return text.splitlines()[0].rstrip('.')
