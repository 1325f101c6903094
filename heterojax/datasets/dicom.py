"""DICOM as a radiologist's screen shows it, by pydicom (extra `dicom`).

Stored values go through the modality LUT (or rescaling) and then the VOI LUT or
window, whose output is 0..255 (PS3.3 C.11.1, C.11.2); where several windows are
given, the first counts. Without LUT or window the range that the stored bits
allow becomes 0..255, so that nothing is clipped.
"""

import io
import logging
import warnings

import numpy as np
from PIL import Image
import pydicom
from pydicom import encaps
from pydicom import filereader
from pydicom import uid
from pydicom.pixels.utils import pixel_array

from heterojax.datasets import content
from heterojax.datasets.pixels import UnreadableImage
from heterojax.datasets.pixels import as_rgb
from heterojax.datasets.pixels import check_size
from heterojax.datasets.pixels import scaled

# Decoders that were seen to end the process or to hang on broken data are not
# used, even where they are installed.
_DECODERS = {
  uid.JPEG2000: 'pillow',
  uid.JPEG2000Lossless: 'pillow',
  uid.JPEGBaseline8Bit: 'pillow',
  uid.RLELossless: 'pydicom',
}
_FORMATS = ('JPEG', 'JPEG2000')
_COLOURS = ('Red', 'Green', 'Blue')

# See `images`.
warnings.filterwarnings('ignore', module='pydicom')
logging.getLogger('pydicom').setLevel(logging.CRITICAL)


def decode(data: bytes) -> np.ndarray:
  """Decodes the one frame of a DICOM file.

  Args:
    data: the file, with or without its preamble and meta information.

  Returns:
    `[H, W, 3]` of 0..255, uint8 for colours of 8 bits, else float32.

  Raises:
    UnreadableImage: with the reason. Broken files raise almost anything.
  """
  dataset = _read(data)
  stored = pixel_array(
    dataset,
    decoding_plugin=_DECODERS.get(dataset.file_meta.TransferSyntaxUID, ''),
  )
  kind = dataset.PhotometricInterpretation
  size = dataset.Rows, dataset.Columns
  if stored.shape not in (size, (*size, 3)):
    raise UnreadableImage('DICOM with more pixels than its size says')
  if stored.ndim == 3:
    return _scaled(stored, dataset.BitsStored)
  if kind == 'PALETTE COLOR':
    return _coloured(stored, dataset)
  if kind not in ('MONOCHROME1', 'MONOCHROME2'):
    raise UnreadableImage(f'DICOM of the unknown kind {kind!r}')
  with np.errstate(all='ignore'):
    gray = _shown(*_modality(stored, dataset), dataset).astype(np.float32)
  if not np.isfinite(gray).all():
    raise UnreadableImage('DICOM whose rescaling or window is not finite')
  gray = 255 - gray if kind == 'MONOCHROME1' else gray
  return as_rgb(gray)


def _read(data: bytes) -> pydicom.Dataset:
  """Reads the file and refuses what cannot or should not be decoded."""
  file = io.BytesIO(data)
  file.seek(132 if content.has_preamble(data) else 0)
  meta = filereader.read_dataset(
    file, False, True, stop_when=lambda tag, vr, length: tag.group != 2
  )
  syntax = meta.get('TransferSyntaxUID', uid.ImplicitVRLittleEndian)
  if syntax.is_deflated:
    # A small file may inflate to any size.
    raise UnreadableImage('deflated DICOM: save it uncompressed')
  file.seek(0)
  dataset = pydicom.dcmread(file, force=True)
  if not meta:  # The order of bytes and the kind of elements were guessed.
    dataset.file_meta.TransferSyntaxUID = _guessed(dataset)
  if 'PixelData' not in dataset:
    raise UnreadableImage('DICOM without pixels of whole numbers')
  check_size(dataset.Rows, dataset.Columns)
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
  if syntax.is_compressed and syntax not in _DECODERS:
    raise UnreadableImage(
      f'DICOM compressed as {syntax.name}: decompress it, for example with'
      ' dcmdjpeg'
    )
  if _DECODERS.get(syntax) == 'pillow':
    frame = encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
    # The frame states a size too, and that is what the decoder allocates.
    with Image.open(io.BytesIO(frame), formats=_FORMATS) as image:
      if image.size != (dataset.Columns, dataset.Rows):
        raise UnreadableImage('DICOM whose frame has another size')
  return dataset


def _guessed(dataset: pydicom.Dataset) -> uid.UID:
  is_implicit, is_little = dataset.original_encoding
  if is_implicit:
    return uid.ImplicitVRLittleEndian
  return uid.ExplicitVRLittleEndian if is_little else uid.ExplicitVRBigEndian


def _scaled(values: np.ndarray, bits: int) -> np.ndarray:
  """Colours of 0..2**bits - 1 to 0..255."""
  if values.dtype == np.uint8 and bits == 8:
    return values
  highest = 2**bits - 1
  if values.min() < 0 or values.max() > highest:
    raise UnreadableImage(f'DICOM with colours outside 0..{highest}')
  return scaled(values, bits)


def _modality(
  stored: np.ndarray, dataset: pydicom.Dataset
) -> tuple[np.ndarray, float, float]:
  """Values of the modality, such as Hounsfield units, and their range."""
  if dataset.get('ModalityLUTSequence'):
    item = dataset.ModalityLUTSequence[0]
    values = _looked_up(stored, item.LUTDescriptor, item.LUTData, dataset)
    return values, 0, 2 ** item.LUTDescriptor[2] - 1
  bits = dataset.BitsStored
  low, high = 0, 2**bits - 1
  if dataset.PixelRepresentation:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
  slope, intercept = (
    default if dataset.get(name) in (None, '') else float(dataset[name].value)
    for name, default in (('RescaleSlope', 1), ('RescaleIntercept', 0))
  )
  low, high = sorted((low * slope + intercept, high * slope + intercept))
  return stored.astype(np.float32) * slope + intercept, low, high


def _shown(
  values: np.ndarray, low: float, high: float, dataset: pydicom.Dataset
) -> np.ndarray:
  """Values of interest as 0..255 (PS3.3 C.11.2)."""
  if dataset.get('VOILUTSequence'):
    item = dataset.VOILUTSequence[0]
    table = item.LUTDescriptor, item.LUTData
    values = _looked_up(np.rint(values).astype(np.int64), *table, dataset)
    low, high = 0, 2 ** item.LUTDescriptor[2] - 1
  elif dataset.get('WindowWidth') not in (None, ''):
    center, width = (
      float(np.atleast_1d(dataset[name].value)[0])
      for name in ('WindowCenter', 'WindowWidth')
    )
    function = dataset.get('VOILUTFunction') or 'LINEAR'
    if function not in ('LINEAR', 'LINEAR_EXACT', 'SIGMOID'):
      raise UnreadableImage(f'DICOM with the unknown window {function!r}')
    if width < 1 if function == 'LINEAR' else width <= 0:
      raise UnreadableImage(f'DICOM with a window of the width {width}')
    if function == 'SIGMOID':
      return 255 / (1 + np.exp(-4 * (values - center) / width))
    if function == 'LINEAR':
      center, width = center - 0.5, width - 1
    low, high = center - width / 2, center + width / 2
    if low == high:
      return np.where(values > low, 255, 0)
  if low == high:
    raise UnreadableImage('DICOM whose values cannot differ')
  return np.clip((values - low) / (high - low) * 255, 0, 255)


def _looked_up(
  values: np.ndarray,
  descriptor: list[int],
  data: bytes | list[int],
  dataset: pydicom.Dataset,
) -> np.ndarray:
  """Looks up integers in a table; beyond its ends the end counts."""
  entries, first, bits = descriptor
  entries = entries or 2**16
  if isinstance(data, bytes):
    order = '<' if dataset.original_encoding[1] else '>'
    # Entries of 8 bits may lie two to a word.
    size = 1 if len(data) < 2 * entries else 2
    table = np.frombuffer(data, f'{order}u{size}')[:entries]
  else:
    table = np.asarray(data)[:entries]
  if table.max() >= 2**bits:
    raise UnreadableImage(f'DICOM with a LUT beyond its {bits} bits')
  index = np.clip(values.astype(np.int64) - first, 0, len(table) - 1)
  return table[index]


def _coloured(stored: np.ndarray, dataset: pydicom.Dataset) -> np.ndarray:
  """Looks up the palette (PS3.3 C.7.6.3.1.5)."""
  if 'RedPaletteColorLookupTableData' not in dataset:
    raise UnreadableImage('DICOM with a palette in segments: save it as RGB')
  channels = []
  for colour in _COLOURS:
    name = f'{colour}PaletteColorLookupTable'
    descriptor = dataset[f'{name}Descriptor'].value
    data = dataset[f'{name}Data'].value
    table = _looked_up(stored, descriptor, data, dataset)
    channels.append(_scaled(table, descriptor[2]))
  return np.stack(channels, axis=-1)
