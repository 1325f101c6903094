"""Whether all that an ONNX file needs is in it, read off its bytes.

ONNX Runtime takes tensors from other files where the file says so: from the
folder that a user stands in, and from there from anywhere. The digest of the
file would not tell them. It is a protobuf message, with `onnx.proto`'s numbers.
"""

from collections.abc import Iterator

# Of the messages that can lead to a tensor: fields, and which one each holds.
_HELD = {
  'model': {7: 'graph', 20: 'training', 25: 'function'},
  'training': {1: 'graph', 2: 'graph'},
  'function': {7: 'node', 11: 'attribute'},
  'graph': {1: 'node', 5: 'tensor', 15: 'sparse'},
  'node': {5: 'attribute'},
  'attribute': {
    **{5: 'tensor', 10: 'tensor', 6: 'graph', 11: 'graph'},
    **{22: 'sparse', 23: 'sparse'},
  },
  'sparse': {1: 'tensor', 2: 'tensor'},
  'tensor': {13: 'external'},
}
_LENGTHS = {1: 8, 5: 4}  # Of the kinds of fields that always have one.
# Protobuf drops the bits of a field's number and kind beyond these, and takes
# no longer numbers.
_KEY = 2**32 - 1
_MOST_BYTES = 10


def is_whole(content: bytes) -> bool:
  """Whether no tensor is in another file.

  Args:
    content: of the ONNX file.

  Raises:
    ValueError: if it is no protobuf message.
  """
  waiting = [('model', memoryview(content))]
  while waiting:
    kind, message = waiting.pop()
    for number, inside in _fields(message):
      held = _HELD[kind].get(number)
      if held == 'external':
        return False
      if held:
        waiting.append((held, inside))
  return True


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
  """Numbers and contents of the fields that are messages, texts or bytes."""
  at = 0
  try:
    while at < len(message):
      key, at = _number(message, at)
      key &= _KEY
      kind = key & 7
      if kind == 0:
        _, at = _number(message, at)
      elif kind == 2:
        length, at = _number(message, at)
        yield key >> 3, message[at : at + length]
        at += length
      else:
        at += _LENGTHS[kind]
  except LookupError as error:
    raise ValueError('it is damaged') from error


def _number(message: memoryview, at: int) -> tuple[int, int]:
  """A number, seven bits a byte, and where it ends."""
  number = 0
  for i in range(_MOST_BYTES):
    byte = message[at + i]
    number |= (byte & 0x7F) << 7 * i
    if byte < 0x80:
      return number, at + i + 1
  raise LookupError('no end')
