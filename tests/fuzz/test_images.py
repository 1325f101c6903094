"""Images: damaged, cut short, of false size or kind, bombs."""

import io
import struct
import zlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest

from fuzz import harness
from fuzz import strategies
from fuzz import subjects


def _contents(kind: str) -> list[bytes]:
  return [given.files['image'] for given in subjects.SUBJECTS[kind].sound()]


def _check(kind: str, content: bytes) -> harness.Verdict:
  return harness.check(kind, harness.Input(files={'image': content}))


@pytest.mark.parametrize('kind', ['image', 'dicom'])
@harness.fuzz(4)
@hypothesis.given(data=st.data())
def test_damaged(kind: str, data: st.DataObject) -> None:
  content = data.draw(strategies.one_of_damaged(_contents(kind)))
  if data.draw(st.booleans()):
    content = _mended(content)
  _check(kind, content)


@pytest.mark.parametrize('kind', ['image', 'dicom'])
@harness.fuzz(2)
@hypothesis.given(data=st.data())
def test_damaged_heads(kind: str, data: st.DataObject) -> None:
  """Where sizes and kinds are told."""
  content = data.draw(st.sampled_from(_contents(kind)))
  start = 128 if kind == 'dicom' else 0
  length = data.draw(st.sampled_from([32, 128, 512])) + start
  head = data.draw(strategies.damaged(content[start:length]))
  _check(kind, _mended(content[:start] + head + content[length:]))


@pytest.mark.parametrize('kind', ['image', 'dicom'])
@harness.fuzz()
@hypothesis.given(data=st.data())
def test_one_put_into_another(kind: str, data: st.DataObject) -> None:
  pick = st.sampled_from(_contents('image') + _contents('dicom'))
  first, second = data.draw(pick), data.draw(pick)
  at = data.draw(st.integers(0, len(first)))
  since = data.draw(st.integers(0, len(second)))
  _check(kind, first[:at] + second[since:])


@harness.fuzz()
@hypothesis.given(
  st.binary(max_size=200),
  st.sampled_from([
    b'',
    b'\x89PNG\r\n\x1a\n',
    b'\xff\xd8\xff',
    b'II*\0',
    b'MM\0*',
    b'GIF89a',
    b'BM',
    b'RIFF\x40\0\0\0WEBPVP8 ',
    bytes(128) + b'DICM',
  ]),
)
def test_any_bytes(content: bytes, magic: bytes) -> None:
  _check('image', magic + content)


def _chunk(kind: bytes, content: bytes) -> bytes:
  crc = struct.pack('>I', zlib.crc32(kind + content))
  return struct.pack('>I', len(content)) + kind + content + crc


def _mended(content: bytes) -> bytes:
  """A PNG whose checksums are right again, so that damage goes deeper."""
  if not content.startswith(b'\x89PNG'):
    return content
  out, at = content[:8], 8
  while at + 12 <= len(content):
    length = int.from_bytes(content[at : at + 4], 'big')
    out += _chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
    at += 12 + length
  return out


def _png(width: int, height: int, body: bytes, *chunks: bytes) -> bytes:
  head = _chunk(b'IHDR', struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0))
  return b''.join([
    b'\x89PNG\r\n\x1a\n',
    head,
    *chunks,
    _chunk(b'IDAT', body),
    _chunk(b'IEND', b''),
  ])


def _saved(image: Image.Image, kind: str, **options) -> bytes:
  buffer = io.BytesIO()
  image.save(buffer, kind, **options)
  return buffer.getvalue()


def _frames(kind: str) -> bytes:
  frames = [Image.new('RGB', (4, 4), (9 * i, 0, 0)) for i in range(3)]
  return _saved(frames[0], kind, save_all=True, append_images=frames[1:])


_ZEROS = zlib.compress(bytes(64 << 20), 9)
_SMALL = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
_BOMBS = {
  'PNG of 2^31 pixels a side': _png(2**31 - 1, 2**31 - 1, _ZEROS),
  'PNG of 40,000 pixels a side': _png(40_000, 40_000, _ZEROS),
  'PNG of 12,000 pixels a side': _png(12_000, 12_000, _ZEROS),
  'PNG with text that inflates': _png(
    1, 1, zlib.compress(bytes(4)), *[_chunk(b'zTXt', b'a\0\0' + _ZEROS)] * 9
  ),
  'BMP of 2^31 pixels a side': _saved(_SMALL, 'BMP')[:18]
  + struct.pack('<ii', 2**31 - 1, 2**31 - 1)
  + _saved(_SMALL, 'BMP')[26:],
  'GIF of 65,535 pixels a side': b'GIF89a\xff\xff\xff\xff\0\0\0,'
  + bytes(4)
  + b'\xff\xff\xff\xff\0\x02\x01\0\0;',
  'GIF of several frames': _frames('GIF'),
  'PNG of several frames': _frames('PNG'),
  'TIFF of several pages': _frames('TIFF'),
  'WebP of several frames': _frames('WEBP'),
  'empty': b'',
  'a program': b'\x7fELF' + bytes(100),
  'PostScript': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n',
  'SVG': b'<svg xmlns="http://www.w3.org/2000/svg"/>',
}


@pytest.mark.parametrize('kind', _BOMBS)
def test_bombs_and_other_files(kind: str) -> None:
  verdict = _check('image', _BOMBS[kind])
  assert verdict.outcome == 'refused' or 'text' in kind
