"""The checksums of PNG files, which Pillow does not compare.

Without them pixels of a file that was copied half, or lies on a bad disk, are
whatever its bytes inflate to.
"""

import zlib

_SIGNATURE = 8  # Bytes before the first part.
_AROUND = 12  # Bytes of a part besides its content.


def is_whole(data: bytes) -> bool:
  """Whether the parts that are needed are as they were written.

  What is missing at the end is for the decoder to find.

  Args:
    data: a PNG file.

  Returns:
    False where the checksum of a critical part is another one, as it is where
    bytes were changed.
  """
  view, start = memoryview(data), _SIGNATURE
  while start + _AROUND <= len(data):
    end = start + _AROUND + int.from_bytes(view[start : start + 4], 'big')
    if end > len(data):
      break
    name = view[start + 4]
    # An upper-case letter; readers go without the others.
    is_critical = not name & 0x20
    written = int.from_bytes(view[end - 4 : end], 'big')
    if is_critical and zlib.crc32(view[start + 4 : end - 4]) != written:
      return False
    start = end
  return True
