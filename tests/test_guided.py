"""Inputs made from others: changes inside of archives, and a sample of them."""

import gzip
import io
import pathlib
import random
import tarfile
import zipfile

from fuzz import guided
from fuzz import lines
from fuzz import mutations
from fuzz import seeds
from fuzz.harness import Input
import proofs
import pytest

_TESTS = pathlib.Path(__file__).resolve().parent


def _zip() -> bytes:
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name in 'ab':
      archive.writestr(name, name.encode() * 50)
  return out.getvalue()


def _tar() -> bytes:
  out = io.BytesIO()
  with tarfile.open(fileobj=out, mode='w') as archive:
    for name in 'ab':
      member = tarfile.TarInfo(name)
      member.size = 50
      archive.addfile(member, io.BytesIO(name.encode() * 50))
  return gzip.compress(out.getvalue())


def _of_zip(data: bytes) -> list[bytes]:
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    return [archive.read(name) for name in archive.namelist()]


def _of_tar(data: bytes) -> list[bytes]:
  with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
    files = [archive.extractfile(member) for member in archive.getmembers()]
    return [file.read() if file else b'' for file in files]


@pytest.mark.parametrize(
  ('data', 'parts'), [(_zip(), _of_zip), (_tar(), _of_tar)]
)
def test_most_changes_are_inside_of_an_archive(data: bytes, parts) -> None:
  given, whole, changed = Input(files={'x': data}), 0, 0
  for seed in range(60):
    made = mutations.of(given, [given], random.Random(seed)).files['x']
    assert mutations.of(given, [given], random.Random(seed)).files['x'] == made
    try:
      whole += 1
      a, b = parts(made)
    except Exception:  # pylint: disable=broad-except
      whole -= 1
      continue
    # One member of two.
    changed += (a != parts(data)[0]) != (b != parts(data)[1])
  assert 30 < changed <= whole < 60


def test_a_condition_is_changed_as_text() -> None:
  given = Input(args={'text': 'overall.accuracy < 1'})
  made = {
    mutations.of(given, [given], random.Random(seed)).args['text']
    for seed in range(40)
  }
  assert len(made) > 30


def test_the_kept_inputs_are_few_and_can_be_read() -> None:
  files = [*(_TESTS / 'fuzz' / 'corpus').iterdir()]
  assert {path.stem.replace('_', ' ') for path in files} <= {
    kind.replace('_', ' ') for kind in lines.KINDS
  }
  assert sum(path.stat().st_size for path in files) < 300_000
  for kind in lines.KINDS:
    for given in guided.read(kind):
      assert given.files or given.args


_MODULE = """
LIMIT = 3
class Box:
  def open(self):
    return LIMIT
def read(x):
  return [_part(
    y) for y in x] or Box()
def _part(y):
  return y
def write():
  return read
"""


def test_lines_count_that_reading_needs(tmp_path, monkeypatch) -> None:
  path = tmp_path / 'a.py'
  path.write_text(_MODULE.lstrip())
  monkeypatch.setattr(lines, '_PACKAGE', tmp_path)
  monkeypatch.setitem(lines.KINDS, 'a', ('a.py',))
  assert lines.counted('a', set()) == set()
  # What `read` names, and the methods of the class that it names.
  want = {(str(path), number) for number in (4, 6, 7, 9)}
  assert lines.counted('a', {(str(path), 6)}) == want
  assert lines.counted('a', {(str(path), 9)}) == {(str(path), 9)}


def test_lines_are_seen_and_those_of_another_process(
  tmp_path, monkeypatch
) -> None:
  path = tmp_path / 'a.py'
  path.write_text(_MODULE.lstrip())
  scope = {}
  exec(compile(path.read_text(), str(path), 'exec'), scope)  # pylint: disable=exec-used
  there = tmp_path / 'there'
  there.write_text('[["c.py", 1, 2]]')
  monkeypatch.setenv(lines.ELSEWHERE, str(there))
  trace = lines.Trace([path])
  with trace:
    there.write_text('[["b.py", 1, 2]]')
    scope['read']([])
  assert {(f, n) for f, n in trace.seen if n != 7} == {
    (str(path), 6),
    ('b.py', 2),
  }
  assert ('b.py', 1, 2) in trace.steps and not there.exists()


def test_each_kind_has_seeds() -> None:
  assert all(any(True for _ in seeds.of(kind)) for kind in lines.KINDS)


@pytest.mark.slow
def test_a_sample_of_inputs() -> None:
  rows = proofs.printed('fuzz.guided', 5, 'features npz', 'fail_if')
  for _, tried, accepted, crashes, _ in rows:
    assert tried > 20 and accepted > 0 and not crashes
