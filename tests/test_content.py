"""Formats by their first bytes."""

import io
import os
import pathlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import content
from heterojax.datasets import images


@pytest.mark.parametrize(
  'kind', ['PNG', 'JPEG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'JPEG2000', 'PPM']
)
def test_what_pillow_writes_is_told_by_pillows_name(kind: str) -> None:
  file = io.BytesIO()
  Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(file, kind)
  assert content.kind(file.getvalue()[: content.HEAD]) == kind


@pytest.mark.parametrize(
  ('head', 'kind'),
  [
    (b'\0\0\0\x18ftypheic\0\0\0\0', 'HEIF'),
    (b'\0\0\0\x1cftypavif\0\0\0\0', 'AVIF'),
    (b'\x5c\x01\0\0' + bytes(340) + b'n+1\0', 'NIFTI'),
    (bytes(128) + b'DICM\x02\0\0\0UL', 'DICOM'),
    (b'\x08\0\x05\0\x0a\0\0\0ISO_IR 100', 'DICOM'),
    (b'\0\x08\0\x05CS\0\x0aISO_IR 100', 'DICOM'),
    (b'\x02\0\0\0UL\x04\0\xb0\0\0\0', 'DICOM'),
  ],
)
def test_other_formats(head: bytes, kind: str) -> None:
  assert content.kind(head) == kind


@pytest.mark.parametrize(
  'data',
  [
    b'',
    b'BM is how this text begins',
    b'path,label\na.png,ill\n',
    b'%PDF-1.7\n',
    b'PK\x03\x04',
    b'\x1f\x8b\x08\0',
    b'{"annotations": []}',
    b'Patient 7',
    bytes(1000),
    b'\x08\0\0\0',
  ],
)
def test_what_is_no_picture(data: bytes) -> None:
  assert content.kind(data) == ''


@hypothesis.given(st.text(max_size=60))
def test_no_text_is_a_picture_by_chance(text: str) -> None:
  known = content.kind(text.encode())
  # 'P1 ...' and '8BPS' are text as well.
  assert known in ('', 'PPM', 'PSD', 'NRRD', 'GIF') or '\0' in text


def test_what_can_be_read_is_known_by_its_bytes() -> None:
  known = {name for _, name in content._SIGNATURES}
  assert set(images.READABLE) <= known | {'DICOM'}


def test_only_regular_files_are_opened(tmp_path: pathlib.Path) -> None:
  os.mkfifo(tmp_path / 'pipe')
  for name in ('pipe', '.', 'nowhere'):
    with pytest.raises(OSError):
      content.head(tmp_path / name)
  (tmp_path / 'x').write_bytes(bytes(900))
  assert content.head(tmp_path / 'x') == bytes(content.HEAD)
