"""Words between the processes of one run, and the news that one is gone.

Arrays travel by JAX's runtime (`compute.collectives`), which waits for all.
What to do next, that a run is to stop and how it ended are said over a
connection of each process with process 0, which leads. It ends with its
process, at once. A process that waits for arrays cannot be called back: the
thread that listens says one sentence and ends it.
"""

from collections.abc import Callable, Iterator
import contextlib
import hmac
import json
import os
import queue
import socket
import sys
import threading
from typing import IO, Any, NamedTuple, NoReturn

from heterojax.errors import LostProcess
from heterojax.run import interruption

Word = dict[str, Any]
_SECONDS_TO_MEET = 60.0
_LONGEST_GREETING = 256  # Bytes.
# Until a process that was told to end is ended.
_SECONDS_TO_END = 5.0
# A machine that is gone closes nothing: after so many idle seconds it is asked
# so many times, so many seconds apart.
_KEEP_ALIVE = {'TCP_KEEPIDLE': 4, 'TCP_KEEPINTVL': 2, 'TCP_KEEPCNT': 3}


class Address(NamedTuple):
  """Where process 0 listens, and what whoever calls there must know."""

  host: str
  port: int
  token: str


class Leader:
  """Process 0, once all others have called.

  Args:
    server: where it listens.
    token: see `Address`.
    number: of all processes.

  Raises:
    TimeoutError: if one does not call.
  """

  def __init__(self, server: socket.socket, token: str, number: int):
    self._number, self._ending = number, threading.Event()
    self._lines: dict[int, socket.socket] = {}
    self._threads: list[threading.Thread] = []
    server.settimeout(_SECONDS_TO_MEET)
    while len(self._lines) < number - 1:
      line, _ = server.accept()
      line.settimeout(_SECONDS_TO_MEET)
      heard = line.makefile('rb')
      process = _greeted(heard, token)
      if process is None:
        line.close()  # Somebody else's.
        continue
      self._lines[process] = line
      words = _words(heard)
      self._threads.append(_listening(line, self._hear, process, words))

  def tell(self, word: Word) -> None:
    """Says something to all others; one that is gone is noticed elsewhere."""
    for line in self._lines.values():
      with contextlib.suppress(OSError):
        _say(line, word)

  def leave(self, code: int) -> None:
    """Has the others end with an exit code, and waits until they have."""
    self._ending.set()
    self.tell({'end': code})
    for thread in self._threads:
      thread.join(2 * _SECONDS_TO_END)

  def _hear(self, process: int, words: Iterator[Word]) -> None:
    for word in words:
      if 'stop' in word:
        interruption.note(word['stop'])
      elif not self._ending.is_set():
        end(word['failed'], f'Process {process} ended the run.')
    if not self._ending.is_set():
      _lost(process, self._number)


class Follower:
  """A process that does what process 0 says.

  Args:
    address: of process 0.
    process: its own number.
    number: of all processes.

  Raises:
    OSError: if nobody is there.
  """

  def __init__(self, address: Address, process: int, number: int):
    where = address.host, address.port
    self._line = socket.create_connection(where, _SECONDS_TO_MEET)
    self._number = number
    self._told, self._left = threading.Event(), threading.Event()
    self._words: queue.SimpleQueue[Word] = queue.SimpleQueue()
    self._line.sendall(f'{address.token} {process}\n'.encode())
    _listening(self._line, self._hear, _words(self._line.makefile('rb')))
    interruption.pass_on(lambda signal: _say(self._line, {'stop': signal}))

  def word(self) -> Word:
    """Waits for what process 0 says next."""
    return self._words.get()

  def leave(self, code: int) -> None:
    """Hangs up; process 0 learns of an end that it did not ask for."""
    self._left.set()
    with contextlib.suppress(OSError):
      if not self._told.is_set():
        _say(self._line, {'failed': code})
      self._line.shutdown(socket.SHUT_RDWR)

  def _hear(self, words: Iterator[Word]) -> None:
    for word in words:
      if 'end' in word:
        self._told.set()
      self._words.put(word)
      if 'end' in word:
        # It may wait for arrays that nobody sends any more.
        if not self._left.wait(_SECONDS_TO_END):
          end(word['end'])
        return
    _lost(0, self._number)


def end(code: int, said: str = '') -> NoReturn:
  """Ends this process without waiting for the others, as JAX would."""
  if said:
    print(f'heterojax: {said}', file=sys.stderr)
  for stream in (sys.stdout, sys.stderr):
    with contextlib.suppress(OSError, ValueError):
      stream.flush()
  os._exit(code)


def _lost(process: int, number: int) -> NoReturn:
  error = LostProcess(
    f'Process {process} of {number} is gone: give the same commands again,'
    ' which go on from what is stored.'
  )
  end(error.exit_code, str(error))


def _listening(
  line: socket.socket, hear: Callable[..., None], *args: Any
) -> threading.Thread:
  """Starts a thread that hears what comes."""
  line.settimeout(None)
  line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
  for name, value in _KEEP_ALIVE.items():
    if option := getattr(socket, name, None):  # Not every system has it.
      line.setsockopt(socket.IPPROTO_TCP, option, value)
  thread = threading.Thread(target=hear, args=args, daemon=True)
  thread.start()
  return thread


def _say(line: socket.socket, word: Word) -> None:
  line.sendall(json.dumps(word).encode() + b'\n')


def _greeted(heard: IO[bytes], token: str) -> int | None:
  """The process that calls; None of whoever does not know the token."""
  # Anybody may call, and say anything without an end.
  with contextlib.suppress(OSError, ValueError):
    said, _, process = heard.readline(_LONGEST_GREETING).partition(b' ')
    if hmac.compare_digest(said, token.encode()):
      return int(process)
  return None


def _words(heard: IO[bytes]) -> Iterator[Word]:
  """Words until the connection ends, however it does."""
  with contextlib.suppress(OSError, ValueError):
    for text in heard:
      yield json.loads(text)
