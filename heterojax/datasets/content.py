"""What a file holds, told by its first bytes and not by its name."""

import pathlib
import re

from heterojax import regular_files

# What images are usually called.
ENDINGS = (
  *('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.gif', '.webp'),
  *('.dcm', '.dicom'),
)
HEAD = 512  # Bytes that are looked at.
_PREAMBLE = 128  # Bytes of DICOM before its mark.
_MARK = b'DICM'
# Names are Pillow's where it has one.
_SIGNATURES = (
  (rb'\x89PNG\r\n\x1a\n', 'PNG'),
  (rb'\xff\xd8\xff', 'JPEG'),
  (rb'GIF8[79]a', 'GIF'),
  (rb'BM.{4}\0{4}', 'BMP'),
  (rb'II\*\0|MM\0\*|II\+\0|MM\0\+', 'TIFF'),
  (rb'RIFF.{4}WEBP', 'WEBP'),
  (rb'\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51', 'JPEG2000'),
  (rb'\xff\x0a|\0\0\0\x0cJXL ', 'JPEG XL'),
  (rb'.{4}ftypavi[fs]', 'AVIF'),
  (rb'.{4}ftyp(hei|hev|mif1|msf1)', 'HEIF'),
  (rb'P[1-7][ \t\r\n]', 'PPM'),
  (rb'8BPS', 'PSD'),
  (rb'NRRD', 'NRRD'),
  (rb'.{344}(n\+1|ni1)\0', 'NIFTI'),
)
_PATTERNS = tuple(
  (re.compile(pattern, re.DOTALL), name) for pattern, name in _SIGNATURES
)
# The first elements that a data set of DICOM without a head can have: the
# groups 2 and 8 come first, in the order of either byte.
_EXPLICIT = re.compile(
  rb'([\x02\x08]\0..|\0[\x02\x08]..)'
  rb'(AE|AS|CS|DA|DT|IS|LO|LT|OB|PN|SH|SQ|ST|TM|UI|UL|US|UT|UN)',
  re.DOTALL,
)
# With a small even length, as of a code or a UID.
_IMPLICIT = re.compile(rb'[\x02\x08]\0.\0[\0-\x7e]\0\0\0', re.DOTALL)


def kind(head: bytes) -> str:
  """The format of a picture.

  Args:
    head: at least the first `HEAD` bytes of a file, or all of them.

  Returns:
    Its name, as 'PNG' or 'DICOM'; '' where these are no picture that is known.
  """
  if is_dicom(head):
    return 'DICOM'
  return next((name for p, name in _PATTERNS if p.match(head)), '')


def is_dicom(head: bytes) -> bool:
  """Whether a file is DICOM, with its preamble or by its first group."""
  if has_preamble(head):
    return True
  if _EXPLICIT.match(head):
    return True
  implicit = _IMPLICIT.match(head) and not head[4] % 2
  return bool(implicit)


def has_preamble(head: bytes) -> bool:
  return head[_PREAMBLE : _PREAMBLE + len(_MARK)] == _MARK


def head(path: pathlib.Path) -> bytes:
  """The first `HEAD` bytes of a file.

  Args:
    path: of the file.

  Returns:
    Its bytes; fewer where it is shorter.

  Raises:
    OSError: if it cannot be read, or is no regular file: a pipe may never end.
  """
  return regular_files.read(path, HEAD)
