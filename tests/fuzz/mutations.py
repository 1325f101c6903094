"""Inputs made from others by small changes, also inside of archives."""

import gzip
import io
import random
import tarfile
import zipfile

from fuzz.harness import Input

_WORDS = (
  *(b'0', b'-1', b'1e400', b'nan', b'inf', b'', b'null', b'true', b'{}', b'[]'),
  *(b'..', b'/', b'\\', b'\0', b'"', b"'", b',', b';', b'\n', b'\r\n', b'\t'),
  *(b'{', b'}', b'[', b']', b'(', b')', b':', b' ', b'.', b'<', b'==', b' in '),
  *(b'and ', b'not ', b'**', b'%', b'any(', b'len(', b'*', b'size', b'x[0]'),
  *(b'\xff', b'\xef\xbb\xbf', b'\xed\xa0\x80', b'\x80', b'\xff\xff\xff\xff'),
  *(b'\x00\x00\x00\x00', b'\x7f\xff\xff\xff', b'\xff\xff\xff\x7f', b'A' * 300),
  *(b'label', b'features', b'id', b'numpy', b'torch', b'__class__', b'shape'),
)


def of(given: Input, others: list[Input], rng: random.Random) -> Input:
  """An input with one file or text changed a few times.

  Args:
    given: what is changed.
    others: of the same kind; pieces of them are taken over.
    rng: decides.
  """
  texts = [k for k, v in given.args.items() if k == 'text']
  if texts:
    text = _changed(given.args['text'].encode(), _texts(others), rng)
    args = given.args | {'text': text.decode('utf-8', 'replace')}
    return given._replace(args=args)
  names = sorted(given.files, key=len)
  # What is one among many files alike matters least.
  name = rng.choice(names[:4] if rng.random() < 0.7 else names)
  there = [i.files[name] for i in others if name in i.files]
  return given._replace(
    files=given.files | {name: _file(given.files[name], there, rng)}
  )


def _texts(others: list[Input]) -> list[bytes]:
  return [other.args['text'].encode() for other in others]


def _file(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
  if rng.random() < 0.7:
    for change in (_in_zip, _in_tar):
      try:
        return change(data, rng)
      # What was damaged before is no archive any more.
      except Exception:  # pylint: disable=broad-except
        continue
  return _changed(data, others, rng)


def _in_zip(data: bytes, rng: random.Random) -> bytes:
  """A member changed, its checksum right."""
  with zipfile.ZipFile(io.BytesIO(data)) as archive:
    members = {name: archive.read(name) for name in archive.namelist()}
  chosen, out = rng.choice(sorted(members)), io.BytesIO()
  with zipfile.ZipFile(out, 'w') as archive:
    for name, content in members.items():
      if name == chosen:
        content = _changed(content, list(members.values()), rng)
      archive.writestr(zipfile.ZipInfo(name), content)  # Without the time.
  return out.getvalue()


def _in_tar(data: bytes, rng: random.Random) -> bytes:
  packed = data[:2] == b'\x1f\x8b'
  plain = gzip.decompress(data) if packed else data
  out = io.BytesIO()
  with (
    tarfile.open(fileobj=io.BytesIO(plain)) as archive,
    tarfile.open(fileobj=out, mode='w') as target,
  ):
    members = archive.getmembers()
    chosen = rng.randrange(len(members))
    for i, member in enumerate(members):
      file = archive.extractfile(member)
      content = file.read() if file else b''
      if i == chosen:
        content = _changed(content, [], rng)
        member.size = len(content)
      target.addfile(member, io.BytesIO(content))
  return gzip.compress(out.getvalue(), 1, mtime=0) if packed else out.getvalue()


def _changed(data: bytes, others: list[bytes], rng: random.Random) -> bytes:
  changed = bytearray(data)
  for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
    # Heads of files say how the rest is read.
    end = len(changed) if rng.random() < 0.5 else min(len(changed), 256)
    at = rng.randrange(end + 1)
    size = rng.choice((1, 1, 2, 4, 8, 32, 256))
    match rng.randrange(7):
      case 0 if at < len(changed):
        changed[at] ^= 1 << rng.randrange(8)
      case 1 if at < len(changed):
        changed[at] = rng.randrange(256)
      case 2:
        del changed[at : at + size]
      case 3:
        changed[at:at] = changed[at : at + size]
      case 4:
        changed[at:at] = rng.choice(_WORDS)
      case 5:
        word = rng.choice(_WORDS)
        changed[at : at + len(word)] = word
      case 6 if others:
        other = rng.choice(others)
        start = rng.randrange(len(other) + 1)
        changed[at : at + size] = other[start : start + size]
  return bytes(changed)
