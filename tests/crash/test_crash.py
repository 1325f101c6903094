"""A sample of the kills, and that the states looked at are those of kills."""

import os
import pathlib
import random
import subprocess
import sys

import proofs
import pytest

from crash import harm
from crash import states


def _said(code: str, folder: pathlib.Path) -> str:
  done = subprocess.run(
    [sys.executable, '-c', code, str(folder)],
    env=os.environ | proofs.PATHS,
    capture_output=True,
    text=True,
    check=False,
  )
  assert not done.returncode, done.stderr[-2000:]
  return done.stdout


_OPERATIONS = """
import os, pathlib, shutil, sys
from crash import operations
folder = pathlib.Path(sys.argv[1])
seen = []
operations.watch(str(folder), seen.append)
(folder / 'b').mkdir()
with open(folder / 'a', 'w', encoding='utf-8') as file:
  file.write('text')
  file.flush()
  os.fsync(file.fileno())
assert (folder / 'a').read_text() == 'text'
with open(folder / 'a', 'r+b', buffering=0) as file:
  file.write(b'T')
os.replace(folder / 'a', folder / 'b' / 'a')
os.link(folder / 'b' / 'a', folder / 'c')
os.symlink('c', folder / 'd')
os.truncate(folder / 'c', 1)
os.chmod(folder / 'c', 0o600)
with open(folder / 'c', 'rb') as file, open(folder / 'e', 'wb') as copy:
  os.sendfile(copy.fileno(), file.fileno(), 0, 1)
shutil.rmtree(folder / 'b')
open('/dev/null', 'w').close()
os.write(1, (' '.join(seen)).encode())
"""


def test_every_operation_is_seen(tmp_path: pathlib.Path) -> None:
  said = _said(_OPERATIONS, tmp_path).replace('open write write fsync', 'WHOLE')
  assert said == (
    'os.mkdir WHOLE open write os.rename os.link os.symlink os.truncate'
    ' os.chmod open write os.remove os.rmdir'
  )


def test_a_state_is_what_can_be_read_again(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'log.txt').write_text('a')
  (tmp_path / 'a.json').write_text('a')
  before = states.key(tmp_path)
  (tmp_path / 'log.txt').write_text('other')
  assert states.key(tmp_path) == before
  for name in '.a.json.abcd1234abcd1234', '.a.json.0123abcd0123abcd':
    (tmp_path / name).write_text('a')
  two = states.key(tmp_path)
  (tmp_path / '.a.json.0123abcd0123abcd').unlink()
  assert states.key(tmp_path) == two != before
  (tmp_path / '.a.json.abcd1234abcd1234').write_text('')
  assert states.key(tmp_path) not in (before, two)
  (tmp_path / '.a.json.abcd1234abcd1234').unlink()
  (tmp_path / 'a.json').write_text('b')
  assert states.key(tmp_path) != before


_KILLED = """
import os, pathlib, signal, sys, tempfile
root = pathlib.Path(sys.argv[1])
os.environ['TMPDIR'] = str(root)
from crash import server, states, subjects
subjects.ready(root)
command, number, there = subjects.SUBJECTS['prepare'].command, 0, []
box = pathlib.Path(tempfile.mkdtemp(dir=root))
for code in server.moments(command, box):
  if code is None:
    there.append(states.key(box))
assert code == 0 and len(there) > 20
for number in range(0, len(there), 3):
  box = pathlib.Path(tempfile.mkdtemp(dir=root))
  code, _ = server.run(command, box, kill=number)
  assert code == -signal.SIGKILL, (number, code)
  assert states.key(box) == there[number], number
"""


@pytest.mark.slow
def test_who_is_killed_leaves_what_was_seen(tmp_path: pathlib.Path) -> None:
  """SIGKILL at an operation, and the disk of a process that was stopped."""
  _said(_KILLED, tmp_path)


def test_what_is_named_is_harmed_and_nothing_else(
  tmp_path: pathlib.Path,
) -> None:
  names = ['a/b.csv', 'c.npy', 'empty']
  (tmp_path / 'a').mkdir()
  whole = {
    'a/b.csv': b'1,2\n3,4\n',
    'c.npy': bytes(range(256)) * 5,
    'empty': b'',
  }
  sizes = set()
  for seed in range(300):
    for name, data in whole.items():
      (tmp_path / name).write_bytes(data)
    changed = harm.harm(tmp_path, names, random.Random(seed))
    now = {
      name: (tmp_path / name).read_bytes()
      for name in names
      if (tmp_path / name).exists()
    }
    # Two that change places are both named, whichever of them is empty.
    assert {n for n in names if now.get(n) != whole[n]} == changed
    sizes.add(len(changed))
  assert sizes == {0, 1, 2}


_JUDGED = """
from crash import finished
def fault(name, gave, said, code):
  action = finished.Action(name, lambda: None)
  outcome = finished.Outcome(gave, said, code)
  return finished.fault(action, outcome, 'same', {'a/b.csv'})
sentence = 'heterojax: a/b.csv is damaged.'
assert not fault('load', 'same', '', 0)
assert not fault('load', None, sentence, 2)
assert not fault('load', None, sentence, 4)
assert not fault('verify', None, 'tampered: b.csv', 1)
for wrong in (
  ('load', 'other', '', 0),
  ('load', None, sentence, 70),
  ('load', None, sentence, 1),
  ('load', None, sentence + chr(10) + sentence, 2),
  ('load', None, 'heterojax: something is wrong.', 2),
  ('load', 'same', 'Traceback (most recent call last)', 0),
  ('verify', 'same', '', 0),
  ('verify', None, 'tampered: c', 1),
):
  assert fault(*wrong), wrong
"""


def test_what_may_not_come_of_damage_is_a_fault(tmp_path: pathlib.Path) -> None:
  _said(_JUDGED, tmp_path)


@pytest.mark.slow
def test_a_sample_of_damaged_files() -> None:
  names = 'programs', 'prepared data', 'shards'
  rows = proofs.printed('crash.damage', 5, *names)
  assert [row[0] for row in rows] == [*names]
  for _, damaged, same, refused, _, faults in rows:
    assert damaged and same + refused and not faults


@pytest.mark.slow
@pytest.mark.parametrize(
  ('name', 'seconds'),
  [('prepare', 4), ('storage', 4), ('checkpoints', 4), ('toy study', 10)],
)
def test_a_sample_of_kills(name: str, seconds: int) -> None:
  tally = proofs.printed('crash.table', seconds, name)[name]
  assert tally['operations'] > 20 and not tally['losses']
  assert tally['states'] >= tally['resumed'] > 0
