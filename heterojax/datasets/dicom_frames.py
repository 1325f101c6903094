"""Compressed frames of DICOM, looked at before they are decoded.

A frame states a size of its own, and that is what its decoder allocates.
"""

import io

import numpy as np
from PIL import Image
import pydicom
from pydicom import encaps
from pydicom import uid

from heterojax.datasets.pixels import UnreadableImage

# Decoders that were seen to end the process or to hang on broken data are not
# used, even where they are installed.
DECODERS = {
  uid.JPEG2000: 'pillow',
  uid.JPEG2000Lossless: 'pillow',
  uid.JPEGBaseline8Bit: 'pillow',
  uid.RLELossless: 'pydicom',
}
_FORMATS = ('JPEG', 'JPEG2000')
_LONGEST_RUN = 128


def check(dataset: pydicom.Dataset, syntax: uid.UID) -> None:
  """Compares what the frame is with what the file says.

  Args:
    dataset: of one frame, with its size and bits.
    syntax: of its pixels.

  Raises:
    UnreadableImage: if it cannot be decoded, or to something else.
  """
  if not syntax.is_compressed:
    return
  if syntax not in DECODERS:
    raise UnreadableImage(
      f'DICOM compressed as {syntax.name}: decompress it, for example with'
      ' dcmdjpeg'
    )
  frame = encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
  if syntax == uid.RLELossless:
    _check_runs(frame, dataset.Rows * dataset.Columns)
    return
  with Image.open(io.BytesIO(frame), formats=_FORMATS) as image:
    if image.size != (dataset.Columns, dataset.Rows):
      raise UnreadableImage('DICOM whose frame has another size')
    if image.mode.startswith('I') and dataset.BitsAllocated < 16:
      raise UnreadableImage('DICOM whose frame has more bits than its pixels')


def _check_runs(frame: bytes, pixels: int) -> None:
  """Refuses a segment of more bytes than there are pixels (PS3.5 G.3)."""
  number, *starts = np.frombuffer(frame[:64], '<u4').tolist()
  starts = starts[:number]
  for start, stop in zip(starts, [*starts[1:], len(frame)], strict=True):
    at, size = start, 0
    while at < min(stop, len(frame)):
      head = frame[at]
      if head < 128:  # So many bytes and one more follow.
        size += head + 1
        at += head + 2
      elif head > 128:  # One follows, which is repeated.
        size += 257 - head
        at += 2
      else:
        at += 1
      if size > pixels + _LONGEST_RUN:  # What fills up a segment counts, too.
        raise UnreadableImage('DICOM whose frame has another size')
