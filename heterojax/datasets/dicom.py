"""DICOM as a radiologist's screen shows it, by pydicom (extra `dicom`).

Stored values go through the modality LUT (or rescaling) and then the VOI LUT or
window, whose output is 0..255 (PS3.3 C.11.1, C.11.2); where several windows are
given, the first that can be used counts. Without LUT or window the range that
the stored bits allow becomes 0..255, so that nothing is clipped; but CT, whose
16 bits hold a few thousand Hounsfield units, gets the range of its scanners. A
LUT is taken to have the bits that its entries need, as many files declare those
of their storage.
"""

from collections.abc import Callable
import io
import logging
from typing import Any, BinaryIO, NamedTuple
import warnings

import numpy as np
import pydicom
from pydicom import filereader
from pydicom import uid
from pydicom.pixels import processing
from pydicom.pixels.utils import pixel_array

from heterojax.datasets import content
from heterojax.datasets import dicom_frames
from heterojax.datasets.pixel_budget import PIXELS
from heterojax.datasets.pixels import Decoded
from heterojax.datasets.pixels import Extent
from heterojax.datasets.pixels import Range
from heterojax.datasets.pixels import UnreadableImage
from heterojax.datasets.pixels import as_rgb
from heterojax.datasets.pixels import check_size
from heterojax.datasets.pixels import scaled
from heterojax.datasets.pixels import stretched

_COLOURS = ('Red', 'Green', 'Blue')
_FORMAT = 'DICOM'
# What a LUT or window raises that is empty, incomplete or no number; the values
# are there all the same.
_UNUSABLE = (
  AttributeError,
  LookupError,
  OverflowError,
  StopIteration,
  TypeError,
  ValueError,
)
# What scanners of 12 bits give: a window of the width 4096 about 1024.
_HOUNSFIELD = (-1024.0, 3071.0)
# Where enhanced images keep what others have at the top (PS3.3 C.7.6.16.2).
_GROUPS = ('SharedFunctionalGroupsSequence', 'PerFrameFunctionalGroupsSequence')
_IN_GROUPS = ('PixelValueTransformationSequence', 'FrameVOILUTSequence')

# See `images`.
warnings.filterwarnings('ignore', module='pydicom')
logging.getLogger('pydicom').setLevel(logging.CRITICAL)


def decode(data: bytes, levels: Range = 'window') -> Decoded:
  """Decodes the one frame of a DICOM file.

  Args:
    data: the file, with or without its preamble and meta information.
    levels: see `images.decode`.

  Returns:
    The image, uint8 for colours of 8 bits, else float32.

  Raises:
    UnreadableImage: with the reason. Broken files raise almost anything.
  """
  dataset = _read(data)
  stored = pixel_array(
    dataset,
    decoding_plugin=dicom_frames.DECODERS.get(
      dataset.file_meta.TransferSyntaxUID, ''
    ),
  )
  kind = dataset.PhotometricInterpretation
  size = dataset.Rows, dataset.Columns
  if stored.shape not in (size, (*size, 3)):
    raise UnreadableImage('DICOM with more pixels than its size says')
  if stored.ndim == 3:
    return _in_colour(stored, dataset.BitsStored, dataset, levels)
  if kind == 'PALETTE COLOR':
    return _in_colour(*_coloured(stored, dataset), dataset, levels)
  if kind not in ('MONOCHROME1', 'MONOCHROME2'):
    raise UnreadableImage(f'DICOM of the unknown kind {kind!r}')
  seen = _seen(stored, dataset)
  with np.errstate(all='ignore'):
    values = _modality(stored, dataset)
    extent = Extent.of(values.array[seen])
    if levels == 'image':
      ends = extent.minimum, extent.maximum
      gray, how, note = stretched(values.array, *ends), 'image', ''
    else:
      gray, how, note = _shown(values, dataset, levels == 'window')
  gray = gray.astype(np.float32)
  if not np.isfinite(gray).all():
    raise UnreadableImage('DICOM whose rescaling or window is not finite')
  gray = 255 - gray if kind == 'MONOCHROME1' else gray
  shown = Extent.of(gray[seen])
  bits = dataset.BitsStored
  return Decoded(as_rgb(gray), _FORMAT, bits, extent, shown, how, note)


def meta_of(file: BinaryIO, head: bytes) -> tuple[pydicom.Dataset, uid.UID]:
  """Meta information and syntax of a file, which is at its start again.

  Args:
    file: of DICOM.
    head: its first bytes.

  Raises:
    UnreadableImage: where the rest is deflated.
  """
  file.seek(132 if content.has_preamble(head) else 0)
  meta = filereader.read_dataset(
    file, False, True, stop_when=lambda tag, vr, length: tag.group != 2
  )
  syntax = meta.get('TransferSyntaxUID', uid.ImplicitVRLittleEndian)
  if syntax.is_deflated:
    # A small file may inflate to any size.
    raise UnreadableImage('deflated DICOM: save it uncompressed')
  file.seek(0)
  return meta, syntax


def _read(data: bytes) -> pydicom.Dataset:
  """Reads the file and refuses what cannot or should not be decoded."""
  file = io.BytesIO(data)
  meta, syntax = meta_of(file, data)
  dataset = pydicom.dcmread(file, force=True)
  if not meta:  # The order of bytes and the kind of elements were guessed.
    dataset.file_meta.TransferSyntaxUID = _guessed(dataset)
  if 'PixelData' not in dataset:
    raise UnreadableImage('DICOM without pixels of whole numbers')
  check_size(dataset.Rows, dataset.Columns)
  PIXELS.take(dataset.Rows * dataset.Columns)
  _flatten(dataset)
  if int(dataset.get('NumberOfFrames') or 1) != 1:
    raise UnreadableImage(
      f'DICOM of {dataset.NumberOfFrames} frames: save the one to study as'
      ' its own file'
    )
  bits, allocated = dataset.BitsStored, dataset.BitsAllocated
  if not 0 < bits == dataset.HighBit + 1 <= allocated <= 16:
    raise UnreadableImage(
      f'DICOM pixels of {allocated} bits with {bits} in use up to bit'
      f' {dataset.HighBit}: 16 can be read, used from bit 0 on'
    )
  dicom_frames.check(dataset, syntax)
  return dataset


def _guessed(dataset: pydicom.Dataset) -> uid.UID:
  is_implicit, is_little = dataset.original_encoding
  if is_implicit:
    return uid.ImplicitVRLittleEndian
  return uid.ExplicitVRLittleEndian if is_little else uid.ExplicitVRBigEndian


def _flatten(dataset: pydicom.Dataset) -> None:
  """Takes what counts here out of the functional groups of the one frame."""
  for groups in _GROUPS:
    for group in (dataset.get(groups) or [])[:1]:
      for name in _IN_GROUPS:
        for item in (group.get(name) or [])[:1]:
          dataset.update(item)


def _seen(stored: np.ndarray, dataset: pydicom.Dataset) -> Any:
  """Index of what does not only fill the square; of all if everything does."""
  value, end = (
    dataset.get(name)
    for name in ('PixelPaddingValue', 'PixelPaddingRangeLimit')
  )
  if not isinstance(value, int):
    return ...
  ends = np.array([value, end if isinstance(end, int) else value])
  bits = 8 * stored.dtype.itemsize
  if ends.min() < -(2 ** (bits - 1)) or ends.max() >= 2**bits:
    return ...
  # Some write a negative one as the whole number of its bits.
  low, high = np.sort(ends.astype(stored.dtype))
  inside = (low <= stored) & (stored <= high)
  return ... if inside.all() else ~inside


def _in_colour(
  colours: np.ndarray, bits: int, dataset: pydicom.Dataset, levels: Range
) -> Decoded:
  """Colours of 0..2**bits - 1, `[H, W, 3]`."""
  extent = Extent.of(colours)
  if levels == 'image':
    pixels = stretched(colours, extent.minimum, extent.maximum)
  else:
    pixels = _scaled(colours, bits)
  shown, how = Extent.of(pixels), 'image' if levels == 'image' else 'stored'
  return Decoded(pixels, _FORMAT, dataset.BitsStored, extent, shown, how)


def _scaled(values: np.ndarray, bits: int) -> np.ndarray:
  """Colours of 0..2**bits - 1 to 0..255."""
  if values.dtype == np.uint8 and bits == 8:
    return values
  highest = 2**bits - 1
  if values.min() < 0 or values.max() > highest:
    raise UnreadableImage(f'DICOM with colours outside 0..{highest}')
  return scaled(values, bits)


class _Values(NamedTuple):
  """Values of the modality, such as Hounsfield units, and what they can be."""

  array: np.ndarray
  low: float
  high: float


def _modality(stored: np.ndarray, dataset: pydicom.Dataset) -> _Values:
  if dataset.get('ModalityLUTSequence'):
    table, first, bits = _table(dataset.ModalityLUTSequence[0], dataset)
    return _Values(_looked_up(stored, table, first), 0, 2**bits - 1)
  bits = dataset.BitsStored
  low, high = 0, 2**bits - 1
  if dataset.PixelRepresentation:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
  slope, intercept = (
    default if dataset.get(name) in (None, '') else float(dataset[name].value)
    for name, default in (('RescaleSlope', 1), ('RescaleIntercept', 0))
  )
  low, high = sorted((low * slope + intercept, high * slope + intercept))
  if low == high:
    raise UnreadableImage('DICOM whose values cannot differ')
  return _Values(stored.astype(np.float32) * slope + intercept, low, high)


def _shown(
  values: _Values, dataset: pydicom.Dataset, by_window: bool
) -> tuple[np.ndarray, str, str]:
  """0..255 (PS3.3 C.11.2), of what, and a note, see `Decoded`."""
  ways: list[tuple[str, Callable[..., np.ndarray]]] = []
  if by_window and dataset.get('VOILUTSequence'):
    ways.append(('table', _by_table))
  if by_window and any(
    dataset.get(name) not in (None, '')
    for name in ('WindowCenter', 'WindowWidth')
  ):
    ways.append(('window', _by_window))
  note = ''
  for name, way in ways:
    try:
      shown = way(values.array, dataset)
      return shown, name, note and f'{note}: the {name} is used'
    except _UNUSABLE:
      note = f'{{}} have a {name} that cannot be used'
  # 12 bits, or a screenshot's 8, are shown well by their own range.
  wide = values.high - values.low > _HOUNSFIELD[1] - _HOUNSFIELD[0]
  if by_window and wide and _is_ct(dataset):
    low, high = map(int, _HOUNSFIELD)
    note = (
      f'{note or "{} are CT without a window"}: {low} to {high} HU are shown'
    )
    return stretched(values.array, *_HOUNSFIELD), f'{low} to {high} HU', note
  if note:
    note += ': all that their bits can store is shown'
  return _linear(values.array, values.low, values.high), 'stored', note


def _is_ct(dataset: pydicom.Dataset) -> bool:
  return dataset.get('Modality') == 'CT' or dataset.get('RescaleType') == 'HU'


def _linear(values: np.ndarray, low: float, high: float) -> np.ndarray:
  return np.clip((values - low) / (high - low) * 255, 0, 255)


def _by_table(values: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
  table, first, bits = _table(dataset.VOILUTSequence[0], dataset)
  whole = np.rint(values).astype(np.int64)
  return _linear(_looked_up(whole, table, first), 0, 2**bits - 1)


def _by_window(values: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
  """Raises whatever a window raises that cannot be used."""
  function = dataset.get('VOILUTFunction') or 'LINEAR'
  pairs = zip(
    *(
      np.atleast_1d(dataset[name].value).astype(float)
      for name in ('WindowCenter', 'WindowWidth')
    ),
    strict=False,
  )
  least = 1 if function == 'LINEAR' else np.finfo(float).tiny
  center, width = next(
    (c, w) for c, w in pairs if np.isfinite(c) and least <= w < np.inf
  )
  if function == 'SIGMOID':
    return 255 / (1 + np.exp(-4 * (values - center) / width))
  if function == 'LINEAR':
    center, width = center - 0.5, width - 1
  elif function != 'LINEAR_EXACT':
    raise ValueError(f'there is no window {function!r}')
  low, high = center - width / 2, center + width / 2
  if low == high:
    return np.where(values > low, 255, 0)
  return _linear(values, low, high)


def _table(
  item: pydicom.Dataset, dataset: pydicom.Dataset
) -> tuple[np.ndarray, int, int]:
  """Entries of a LUT, the value of the first, and the bits that they need."""
  entries, first, _ = item.LUTDescriptor
  table = _entries(item.LUTData, entries or 2**16, dataset)
  return table, first, _bits(table)


def _bits(*tables: np.ndarray) -> int:
  return max(8, *(int(table.max()).bit_length() for table in tables))


def _entries(
  data: bytes | list[int], number: int, dataset: pydicom.Dataset
) -> np.ndarray:
  if not isinstance(data, bytes):
    return np.asarray(data)[:number]
  order = '<' if dataset.original_encoding[1] else '>'
  # Entries of 8 bits may lie two to a word.
  size = 1 if len(data) < 2 * number else 2
  return np.frombuffer(data, f'{order}u{size}')[:number]


def _looked_up(values: np.ndarray, table: np.ndarray, first: int) -> np.ndarray:
  """Looks up integers in a table; beyond its ends the end counts."""
  index = np.clip(values.astype(np.int64) - first, 0, len(table) - 1)
  return table[index]


def _coloured(
  stored: np.ndarray, dataset: pydicom.Dataset
) -> tuple[np.ndarray, int]:
  """Looks up the palette (PS3.3 C.7.6.3.1.5); its colours, and their bits."""
  tables, channels = [], []
  for n, colour in enumerate(_COLOURS):
    name = f'{colour}PaletteColorLookupTable'
    entries, first, _ = dataset[f'{name}Descriptor'].value
    entries = entries or 2**16
    if f'{name}Data' in dataset:
      table = _entries(dataset[f'{name}Data'].value, entries, dataset)
    else:  # In segments.
      every = np.arange(first, first + entries)
      table = processing.apply_color_lut(every, dataset)[:, n]
    tables.append(table)
    channels.append(_looked_up(stored, table, first))
  bits = _bits(*tables)
  colours = np.stack(channels, axis=-1)
  return colours.astype(np.uint8) if bits == 8 else colours, bits
