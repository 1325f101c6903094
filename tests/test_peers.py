"""Words between processes: what is said arrives, and nobody is lost unheard."""

from collections.abc import Iterator
import concurrent.futures
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from heterojax.run import interruption
from heterojax.run import peers

_SECONDS = 60
# Process 0 prints its port, and each process what it is told.
_PROCESS = """
import json, socket, sys, time
from heterojax.run import interruption, peers
process, number, port = map(int, sys.argv[1:])
with interruption.handled():
  if process == 0:
    server = socket.create_server(('127.0.0.1', 0))
    print(server.getsockname()[1], flush=True)
    leader = peers.Leader(server, 'token', number)
    print('met', flush=True)
    leader.tell({'job': 'work'})
    while not interruption.asked():
      time.sleep(0.01)
    leader.leave(3)
    peers.end(3, 'stopped')
  address = peers.Address('127.0.0.1', port, 'token')
  follower = peers.Follower(address, process, number)
  while True:
    word = follower.word()
    print(json.dumps(word), flush=True)
    if 'end' in word:
      follower.leave(word['end'])
      peers.end(word['end'])
"""


def _start(*words: int) -> subprocess.Popen[str]:
  return subprocess.Popen(
    [sys.executable, '-c', _PROCESS, *map(str, words)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.fixture(name='three')
def _three() -> Iterator[list[subprocess.Popen[str]]]:
  """Three processes that have met."""
  first = _start(0, 3, 0)
  assert first.stdout
  port = int(first.stdout.readline())
  found = [first, _start(1, 3, port), _start(2, 3, port)]
  assert first.stdout.readline() == 'met\n'
  for other in found[1:]:
    assert other.stdout
    assert json.loads(other.stdout.readline()) == {'job': 'work'}
  try:
    yield found
  finally:
    for process in found:
      process.kill()
      process.communicate()


@pytest.mark.parametrize('gone', [0, 2])
def test_a_lost_process_ends_all_others_with_a_sentence(three, gone):
  begun = time.monotonic()
  three[gone].kill()
  for number, process in enumerate(three):
    _, said = process.communicate(timeout=_SECONDS)
    if number == gone:
      assert process.returncode == -signal.SIGKILL
      continue
    assert process.returncode == 75
    # Those that end first are lost to the rest.
    assert said.startswith('heterojax: Process ') and said.count('\n') == 1
    assert 'is gone: give the same commands again' in said
  assert time.monotonic() - begun < 15


@pytest.mark.parametrize('asked', [0, 1])
def test_a_signal_to_any_process_ends_all_with_the_same_code(three, asked):
  three[asked].send_signal(signal.SIGTERM)
  said = [process.communicate(timeout=_SECONDS) for process in three]
  assert [process.returncode for process in three] == [3, 3, 3]
  assert [err for _, err in said] == ['heterojax: stopped\n', '', '']
  assert all(json.loads(out) == {'end': 3} for out, _ in said[1:])


@pytest.mark.parametrize(
  'said',
  [
    b'guessed 1\n',
    b'token\n',
    b'[]\n',
    b'GET / HTTP/1.0\r\n\r\n',
    'é 1\n'.encode(),
    b'\xff\n',
    b'x' * 10_000,  # And no end.
  ],
)
def test_who_does_not_know_the_token_is_not_let_in(said):
  server = socket.create_server(('127.0.0.1', 0))
  address = server.getsockname()
  stranger = socket.create_connection(address)
  stranger.sendall(said)
  follower = peers.Follower(peers.Address(*address, 'token'), 1, 2)
  leader = peers.Leader(server, 'token', 2)
  with contextlib.suppress(ConnectionResetError):  # Not all of it was read.
    assert stranger.recv(1) == b''
  leader.tell({'job': 'x', 'words': [1, 'é']})
  assert follower.word() == {'job': 'x', 'words': [1, 'é']}
  _part(leader, follower)


def test_what_a_follower_is_asked_the_leader_knows():
  server = socket.create_server(('127.0.0.1', 0))
  address = peers.Address(*server.getsockname(), 'token')
  with interruption.handled():
    follower = peers.Follower(address, 1, 2)
    leader = peers.Leader(server, 'token', 2)
    assert not interruption.asked()
    signal.raise_signal(signal.SIGTERM)
    end = time.monotonic() + _SECONDS
    while not interruption.asked() and time.monotonic() < end:
      time.sleep(0.01)
    assert interruption.asked()
    _part(leader, follower)


def _part(leader: peers.Leader, follower: peers.Follower) -> None:
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    leaving = pool.submit(leader.leave, 0)
    assert follower.word() == {'end': 0}
    follower.leave(0)
    leaving.result()
