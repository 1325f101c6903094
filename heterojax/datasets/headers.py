"""What the headers of DICOM files say: the patient, and how it was taken.

`PatientID` is the group, as a digest, so that no name of a patient is written
anywhere. The scanner and the view are columns: the first suspects where a
network seems to see a disease.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
import dataclasses
import hashlib
import io
import os
import pathlib
from typing import Any

from heterojax.datasets import content
from heterojax.datasets import masks
from heterojax.datasets.manifest import Candidate

COLUMNS = (
  'Manufacturer',
  'ManufacturerModelName',
  'ViewPosition',
  'Modality',
  'KVP',
  'PixelSpacing',
)
_PATIENT = 'PatientID'
_ROWS = 'Rows'  # Of pixels, which every image has.
_KIND = 'SOPClassUID'  # Which every file has, unless it is broken.
_READ = (_PATIENT, _KIND, _ROWS, *COLUMNS)
_OTHERS = ('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.webp', '.tif', '.tiff')
_DIGITS = 16  # Of the digest of a patient: 64 bits.


def described(
  candidates: Sequence[Candidate], root: pathlib.Path
) -> tuple[list[Candidate], tuple[str, ...]]:
  """Reads the headers of DICOM files among the candidates.

  Args:
    candidates: those that were left out, or have a group, keep what they have;
      DICOM files without an image, as reports, and segmentations are left out.
    root: from which their paths start.

  Returns:
    The candidates with a group, where the files name more than one patient, and
    with the columns that any file has. And what must be said of it.
  """
  paths = dict.fromkeys(c.path for c in candidates if c.included)
  of = {path: header for path in paths if (header := _header(root / path))}
  if not of:
    return list(candidates), ()
  reasons = {path: reason for path, h in of.items() if (reason := _reason(h))}
  candidates = [
    c.left_out(reasons[c.path]) if c.included and c.path in reasons else c
    for c in candidates
  ]
  of = {path: header for path, header in of.items() if path not in reasons}
  patients = {path: _digest(header[_PATIENT]) for path, header in of.items()}
  notes = []
  if reasons:
    path, reason = next(iter(reasons.items()))
    notes.append(
      f'{len(reasons):,} DICOM files hold no image to study, as {path}'
      f' ({reason}).'
    )
  named = {p for p in patients.values() if p}
  if len(named) == 1 < len(of):
    patients = {}
    notes.append(
      f'All {len(of):,} DICOM files name the same PatientID or none, which'
      ' tells no patients apart.'
    )
  elif named:
    unnamed = sum(not p for p in patients.values())
    notes.append(
      f'The PatientID of {len(of):,} DICOM files is the patient, as a digest:'
      f' {len(named):,} of them{_missing(unnamed)}.'
    )
  columns = [name for name in COLUMNS if any(h[name] for h in of.values())]
  taken = Counter(name for c in candidates for name, _ in c.columns)
  columns = [name for name in columns if name not in taken]
  return [
    dataclasses.replace(
      c,
      group=c.group or patients.get(c.path, ''),
      columns=(
        *c.columns,
        *((name, of[c.path][name] if c.path in of else '') for name in columns),
      ),
    )
    for c in candidates
  ], tuple(notes)


def _reason(header: dict[str, str]) -> str:
  """Why a file of DICOM holds no image to study; '' if it may hold one."""
  if header[_KIND] and not header[_ROWS]:
    return 'DICOM without an image'
  return masks.BY_NAME if header['Modality'] == 'SEG' else ''


def _missing(number: int) -> str:
  return f'; {number:,} files name none' if number else ''


def _digest(patient: str) -> str:
  if not patient:
    return ''
  return hashlib.sha256(patient.encode()).hexdigest()[:_DIGITS]


class _File(io.BufferedReader):
  """Makes room for no more bytes than are left.

  The length that an element claims may be any, and pydicom asks for as many.
  """

  def read(self, size: int | None = -1) -> bytes:
    left = max(0, os.fstat(self.fileno()).st_size - self.tell())
    return super().read(left if size is None or size < 0 else min(size, left))


def _header(path: pathlib.Path) -> dict[str, str] | None:
  """Texts of the elements of interest; None where it is no DICOM."""
  if path.name.lower().endswith(_OTHERS):
    return None
  try:
    if not content.is_dicom(head := content.head(path)):
      return None
    # pylint: disable=import-outside-toplevel
    import pydicom

    from heterojax.datasets import dicom

    with _File(io.FileIO(path)) as file:
      dicom.meta_of(file, head)
      dataset = pydicom.dcmread(
        file,
        force=True,
        stop_before_pixels=True,
        specific_tags=[*_READ],
      )
    header = {name: _text(dataset.get(name)) for name in _READ}
    # A DICOMDIR says what it is in its meta information alone.
    kind = dataset.file_meta.get('MediaStorageSOPClassUID')
    return header | {_KIND: header[_KIND] or _text(kind)}
  # It needs an extra, and pydicom raises almost anything on broken files:
  # inspecting the image says what is wrong.
  except Exception:  # pylint: disable=broad-except
    return None


def _text(value: Any) -> str:
  """A value as the manifest has it: equal parts, as of pixels, once."""
  if value is None:
    return ''
  is_text = isinstance(value, str) or not isinstance(value, Iterable)
  parts = [value] if is_text else [*value]
  return '\\'.join(dict.fromkeys(str(part).strip() for part in parts))
