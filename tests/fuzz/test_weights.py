"""Weight files: damaged, lying of their sizes, naming code."""

import io
import json
import os
import pickle
import struct
import zipfile

import hypothesis
from hypothesis import strategies as st
import pytest

from fuzz import harness
from fuzz import strategies
from fuzz import subjects

_KIND = 'weights'
_MAGIC = 0x1950A86A20F9469CFC6C


def _contents(kind: str) -> list[bytes]:
  return [given.files['weights'] for given in subjects.SUBJECTS[kind].sound()]


def _check(content: bytes, kind: str = _KIND) -> harness.Verdict:
  return harness.check(kind, harness.Input(files={'weights': content}))


@harness.fuzz(5)
@hypothesis.given(data=st.data())
def test_damaged(data: st.DataObject) -> None:
  _check(data.draw(strategies.one_of_damaged(_contents(_KIND))))


# Each is read by a process of its own, which takes a while to start.
@harness.fuzz(0.7)
@hypothesis.given(data=st.data())
def test_damaged_hdf5(data: st.DataObject) -> None:
  damaged = strategies.one_of_damaged(_contents('weights hdf5'))
  _check(data.draw(damaged), 'weights hdf5')


def _checkpoint(program: bytes, container: str) -> bytes:
  """A pickle where a checkpoint has its tensors."""
  if container == 'legacy':
    heads = [pickle.dumps(x, 2) for x in (_MAGIC, 1001, {})]
    return b''.join([*heads, program, pickle.dumps([], 2)])
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w') as archive:
    archive.writestr('x/data.pkl', program)
    archive.writestr('x/byteorder', 'little')
  return file.getvalue()


class _Runs:
  """Pickles as a call."""

  def __init__(self, *call):
    self.call = call

  def __reduce__(self):
    return self.call


_COMMAND = 'touch marker ../marker "$HOME/marker"'
_CALLS = [
  _Runs(os.system, (_COMMAND,)),
  _Runs(eval, (f'__import__("os").system({_COMMAND!r})',)),
  _Runs(exec, ('open("marker", "w")',)),
  _Runs(getattr, ('x', 'upper')),
  _Runs(open, ('marker', 'w')),
]


@pytest.mark.parametrize('container', ['zip', 'legacy', 'bare'])
@pytest.mark.parametrize('protocol', range(6))
@pytest.mark.parametrize('call', range(len(_CALLS)))
@pytest.mark.parametrize('inside', [False, True])
def test_pickles_run_nothing(
  container: str, protocol: int, call: int, inside: bool
) -> None:
  top = {'state_dict': {'x': _CALLS[call]}} if inside else _CALLS[call]
  program = pickle.dumps(top, protocol)
  if container != 'bare':
    program = _checkpoint(program, container)
  assert _check(program).outcome == 'refused'


# Opcodes by which a pickle calls, looks up or builds.
_WORDS = st.sampled_from([
  b'(',
  b')',
  b']',
  b'}',
  b'.',
  b'0',
  b'1',
  b'2',
  b'N',
  b'K\x01',
  b'K\0',
  b'I9\n',
  b'I-1\n',
  b'L99L\n',
  b'F1e400\n',
  b'Vx\n',
  b"S'x'\n",
  b'X\1\0\0\0a',
  b'\x8c\1a',
  b'C\1a',
  b't',
  b'\x85',
  b'\x86',
  b'\x87',
  b'l',
  b'd',
  b'a',
  b'e',
  b's',
  b'u',
  b'R',
  b'b',
  b'o',
  b'Q',
  b'Px\n',
  b'q\0',
  b'h\0',
  b'q\1',
  b'h\1',
  b'\x94',
  b'\x81',
  b'\x92',
  b'\x93',
  b'\x8f',
  b'\x90',
  b'\x91',
  b'\x88',
  b'\x82\1',
  b'\x95' + bytes(8),
  b'\x96' + struct.pack('<Q', 2**40),
  b'\x8d' + struct.pack('<Q', 2**62),
  b'\x8e' + struct.pack('<Q', 2**31),
  b'\x8b\xff\xff\xff\x7f',
  b'r\xff\xff\xff\x7f',
  b'j\xff\xff\xff\x7f',
  b'cos\nsystem\n',
  b'cbuiltins\neval\n',
  b'ctorch\nFloatStorage\n',
  b'ctorch._utils\n_rebuild_tensor_v2\n',
  b'ccollections\nOrderedDict\n',
  b'ctorch._utils\n_rebuild_parameter\n',
  b'ios\nsystem\n',
  b'\x97',
  b'\x98',
])


@harness.fuzz(4)
@hypothesis.given(
  st.lists(_WORDS, max_size=40), st.sampled_from(['zip', 'legacy', 'bare'])
)
def test_any_program(words: list[bytes], container: str) -> None:
  program = b'\x80\x02' + b''.join(words) + b'.'
  if container != 'bare':
    program = _checkpoint(program, container)
  _check(program)


# A tuple of 2^60 parts in 60 pairs, and one that nests a million times deep.
_WIDE = b')' + b'2\x86' * 60
_DEEP = b')' + b'\x85' * 1_000_000
_USES = {
  'key': b'}%sNs',
  'key of many': b'}(%sNu',
  'key of a dict from a list': b'(%sNd',
  'key of an ordered dict': b'ccollections\nOrderedDict\n](%sN\x86\x85R',
  'key in a list for an ordered dict': (
    b'ccollections\nOrderedDict\n](%sNtea\x85R'
  ),
  'member of a set': b'\x8f(%s\x90',
  'member of a frozen set': b'(%s\x91',
  'kind of a storage': b'(X\7\0\0\0storage%sX\1\0\0\0kNK\1tQ',
  'length of a storage': (
    b'(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0kN%stQ'
    b'(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0kN%stQ'
  ),
  'state': b'ccollections\nOrderedDict\n)R}%sNsb',
  'value': b'}X\1\0\0\0k%ss',
  'top': b'%s',
}


@pytest.mark.parametrize('use', _USES)
@pytest.mark.parametrize('container', ['zip', 'legacy'])
@pytest.mark.parametrize('huge', [_WIDE, _DEEP])
def test_pickles_that_grow(use: str, container: str, huge: bytes) -> None:
  """To hash, compare or show such a tuple takes for ever, or all the stack."""
  program = b'\x80\x02' + _USES[use].replace(b'%s', huge) + b'.'
  assert _check(_checkpoint(program, container)).outcome == 'refused'


def test_keys_of_storages_that_grow() -> None:
  program = b'\x80\x02](' + _WIDE + b'e.'
  heads = [pickle.dumps(x, 2) for x in (_MAGIC, 1001, {}, {})]
  assert _check(b''.join([*heads, program])).outcome == 'refused'


_LARGE = st.sampled_from([
  0,
  1,
  3,
  2**16,
  2**31,
  2**32,
  2**62,
  2**63,
  2**64,
  -1,
])


@harness.fuzz(2)
@hypothesis.given(
  st.sampled_from(['F32', 'BF16', 'U8', 'F8_E4M3', 'C64', 'x', '']),
  st.lists(_LARGE, max_size=4),
  _LARGE,
  _LARGE,
  st.sampled_from([0, 8, -1]),
  strategies.text,
)
def test_safetensors_that_lie(
  dtype: str, shape: list[int], start: int, end: int, more: int, name: str
) -> None:
  head = json.dumps({
    name: {'dtype': dtype, 'shape': shape, 'data_offsets': [start, end]}
  }).encode()
  length = max(0, len(head) + more)
  _check(struct.pack('<Q', length) + head + bytes(24))


@harness.fuzz()
@hypothesis.given(
  st.lists(_LARGE, max_size=3), st.lists(_LARGE, max_size=3), _LARGE, _LARGE
)
def test_checkpoints_that_lie(
  shape: list[int], strides: list[int], offset: int, length: int
) -> None:
  plain = lambda value: pickle.dumps(value, 2)[2:-1]
  program = b''.join([
    b'\x80\x02}X\1\0\0\0xctorch._utils\n_rebuild_tensor_v2\n((',
    plain('storage'),
    b'ctorch\nFloatStorage\n',
    plain('0'),
    plain('cpu'),
    plain(length),
    b'tQ',
    plain(offset),
    plain(tuple(shape)),
    plain(tuple(strides)),
    b'\x89})tRs.',
  ])
  file = io.BytesIO()
  with zipfile.ZipFile(file, 'w') as archive:
    archive.writestr('x/data.pkl', program)
    archive.writestr('x/data/0', bytes(12))
  _check(file.getvalue())


@pytest.mark.parametrize(
  'target', ['pipe', '/dev/zero', '{outside}', 'weights']
)
def test_paths_that_are_no_files(target: str) -> None:
  if target == 'pipe':
    given = harness.Input(pipes=('weights',))
  else:
    given = harness.Input(links={'weights': target})
  assert harness.check(_KIND, given).outcome == 'refused'
