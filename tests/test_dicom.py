"""DICOM: the standard's formulas on made-up files, pydicom's on real ones."""

import io
import pathlib
import struct
import subprocess
import sys
import tracemalloc
import zlib

import hypothesis
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pydicom
from pydicom import data as pydicom_data
from pydicom import encaps
from pydicom import pixels as pydicom_pixels
from pydicom import uid
import pytest

from heterojax.datasets import content
from heterojax.datasets import headers
from heterojax.datasets import images

_TESTED = pathlib.Path(pydicom_data.__file__).parent / 'test_files'
# Those without compression.
_PLAIN = (
  uid.ExplicitVRLittleEndian,
  uid.ImplicitVRLittleEndian,
  uid.ExplicitVRBigEndian,
)
pytestmark = pytest.mark.filterwarnings('ignore:::pydicom')


def _dataset(
  pixels: np.ndarray, *, bits: int = 0, signed: bool = False, **tags
) -> pydicom.Dataset:
  """A little-endian DICOM of one frame; `tags` are set at the end."""
  dataset = pydicom.Dataset()
  dataset.file_meta = pydicom.dataset.FileMetaDataset()
  dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
  dataset.SOPClassUID = uid.SecondaryCaptureImageStorage
  dataset.SOPInstanceUID = '1.2.3'
  dataset.Rows, dataset.Columns = pixels.shape[:2]
  dataset.SamplesPerPixel = 1
  dataset.PhotometricInterpretation = 'MONOCHROME2'
  if pixels.ndim == 3:
    dataset.SamplesPerPixel = 3
    dataset.PhotometricInterpretation = 'RGB'
    dataset.PlanarConfiguration = 0
  dataset.BitsAllocated = 8 * pixels.itemsize
  dataset.BitsStored = bits or dataset.BitsAllocated
  dataset.HighBit = dataset.BitsStored - 1
  dataset.PixelRepresentation = int(signed)
  body = pixels.tobytes()
  dataset.PixelData = body + bytes(len(body) % 2)
  dataset['PixelData'].VR = 'OB' if pixels.itemsize == 1 else 'OW'
  for name, value in tags.items():
    setattr(dataset, name, value)
  return dataset


def _encoded(dataset: pydicom.Dataset) -> bytes:
  file = io.BytesIO()
  dataset.save_as(file, enforce_file_format=True)
  return file.getvalue()


def _decode(pixels: np.ndarray, **options) -> np.ndarray:
  return images.decode(_encoded(_dataset(pixels, **options)))


def _line(*values: int, dtype: type = np.uint16) -> np.ndarray:
  return np.array([values], dtype)


def _reason(data: bytes) -> str:
  with pytest.raises(images.UnreadableImage) as caught:
    images.decode(data)
  return str(caught.value)


@pytest.mark.parametrize('bits', [8, 10, 12, 16])
def test_stored_bits_become_0_to_255(bits: int) -> None:
  highest = 2**bits - 1
  got = _decode(_line(0, 1, highest // 3, highest), bits=bits)
  assert (got.dtype, got.shape) == (np.float32, (1, 4, 3))
  want = np.array([0, 255 / highest, 85, 255])
  for channel in range(3):
    np.testing.assert_allclose(got[0, :, channel], want, atol=2e-5)
  assert got.max() == 255


def test_signed_values_start_below_zero() -> None:
  pixels = _line(-2048, 0, 2047, dtype=np.int16)
  got = _decode(pixels, bits=12, signed=True)[0, :, 0]
  np.testing.assert_allclose(got, [0, 255 * 2048 / 4095, 255], atol=2e-5)


def test_unused_bits_do_not_count() -> None:
  """Old files keep overlays in the bits above the image."""
  got = _decode(_line(0xF000 | 4095, 0x7000), bits=12)[0, :, 0]
  np.testing.assert_array_equal(got, [255, 0])


def test_monochrome1_is_inverted() -> None:
  kind = {'PhotometricInterpretation': 'MONOCHROME1'}
  pixels = _line(0, 51, 255, dtype=np.uint8)
  got = _decode(pixels, **kind)[0, :, 0]
  np.testing.assert_array_equal(got, [255, 204, 0])
  # After the window: what is above it is black.
  window = {'WindowCenter': 100, 'WindowWidth': 50}
  got = _decode(pixels, **kind, **window)[0, :, 0]
  np.testing.assert_array_equal(got, [255, 255, 0])


@pytest.mark.parametrize(('slope', 'want'), [(2, [0, 255]), (-2, [255, 0])])
def test_rescaling_alone_keeps_the_whole_range(
  slope: int, want: list[int]
) -> None:
  """A negative slope makes large stored values dark."""
  tags = {'RescaleSlope': slope, 'RescaleIntercept': -1024}
  got = _decode(_line(0, 4095), bits=12, **tags)[0, :, 0]
  np.testing.assert_allclose(got, want, atol=2e-5)


def test_window_of_the_standards_example() -> None:
  """PS3.3 C.11.2.1.2.1: c=2048, w=4096 takes 0 to 4095 to the whole range."""
  pixels = _line(0, 1024, 4095)
  for center, width, want in (
    (2048, 4096, [0, 255 * 1024 / 4095, 255]),
    (2048, 1, [0, 0, 255]),
    (0, 100, [255 * (0.5 / 99 + 0.5), 255, 255]),
    (0, 1, [255, 255, 255]),
  ):
    window = {'WindowCenter': center, 'WindowWidth': width}
    got = _decode(pixels, bits=12, **window)[0, :, 0]
    np.testing.assert_allclose(got, want, atol=3e-5)


def _by_the_standard(
  value: float, center: float, width: float, function: str
) -> float:
  """PS3.3 C.11.2.1.2 and C.11.2.1.3, for an output of 0..255.

  Its 1 / (1 + exp(-4 z)) is (1 + tanh(2 z)) / 2.
  """
  if function == 'SIGMOID':
    return 127.5 + 127.5 * np.tanh(2 * (value - center) / width)
  if function == 'LINEAR_EXACT':
    if value <= center - width / 2:
      return 0
    if value > center + width / 2:
      return 255
    return ((value - center) / width + 0.5) * 255
  if value <= center - 0.5 - (width - 1) / 2:
    return 0
  if value > center - 0.5 + (width - 1) / 2:
    return 255
  return ((value - (center - 0.5)) / (width - 1) + 0.5) * 255


@pytest.mark.medium
@hypothesis.given(
  st.lists(st.integers(-2048, 2047), min_size=1, max_size=9),
  st.integers(-3000, 3000),
  st.integers(1, 5000),
  st.sampled_from(['LINEAR', 'LINEAR_EXACT', 'SIGMOID']),
  st.sampled_from([1, 2, -1, 0.5]),
)
@hypothesis.settings(deadline=None, max_examples=150)
def test_windows_are_the_standards(
  values: list[int], center: int, width: int, function: str, slope: float
) -> None:
  got = _decode(
    _line(*values, dtype=np.int16),
    bits=12,
    signed=True,
    RescaleSlope=slope,
    RescaleIntercept=-100,
    WindowCenter=center,
    WindowWidth=width,
    VOILUTFunction=function,
  )[0, :, 0]
  want = [
    _by_the_standard(value * slope - 100, center, width, function)
    for value in values
  ]
  np.testing.assert_allclose(got, want, atol=1e-3)


def test_the_first_of_several_windows_counts() -> None:
  tags = {'WindowCenter': [100, 5], 'WindowWidth': [50, 9]}
  got = _decode(_line(90, 110), **tags)
  one = _decode(_line(90, 110), WindowCenter=100, WindowWidth=50)
  np.testing.assert_array_equal(got, one)
  assert 0 < got.min() < got.max() < 255


def _table(
  entries: list[int], first: int, bits: int, *, packed: bool = False
) -> pydicom.Dataset:
  item = pydicom.Dataset()
  item.add_new('LUTDescriptor', 'SS', [len(entries), first, bits])
  if packed:  # Two entries of 8 bits to a word.
    body = bytes(entries) + bytes(len(entries) % 2)
    item.add_new('LUTData', 'OW', body)
  else:
    item.add_new('LUTData', 'US', entries)
  return item


def test_voi_lut_takes_the_place_of_a_window() -> None:
  tags = {
    'VOILUTSequence': [_table([0, 1000, 4095], 10, 12)],
    'WindowCenter': 5,
    'WindowWidth': 2,
  }
  got = _decode(_line(0, 10, 11, 12, 500), **tags)[0, :, 0]
  want = np.array([0, 0, 1000, 4095, 4095]) * 255 / 4095
  np.testing.assert_allclose(got, want, atol=2e-5)


def test_voi_lut_sees_rescaled_values() -> None:
  tags = {
    'VOILUTSequence': [_table([10, 20, 30], -1, 8)],
    'RescaleSlope': 1,
    'RescaleIntercept': -5,
  }
  got = _decode(_line(3, 4, 5, 6, 7), **tags)[0, :, 0]
  np.testing.assert_allclose(got, [10, 10, 20, 30, 30], atol=2e-5)
  # The nearest entry of what lies between two.
  tags |= {'RescaleSlope': 0.6, 'RescaleIntercept': -1}
  got = _decode(_line(0, 1, 2, 3), **tags)[0, :, 0]
  np.testing.assert_allclose(got, [10, 20, 20, 30], atol=2e-5)


@pytest.mark.parametrize('packed', [False, True])
def test_tables_of_more_than_256_entries_of_8_bits(packed: bool) -> None:
  table = _table([i // 16 for i in range(4096)], 0, 8, packed=packed)
  pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
  for name in ('VOILUTSequence', 'ModalityLUTSequence'):
    got = _decode(pixels, bits=12, **{name: [table]})
    np.testing.assert_array_equal(got[..., 0], pixels // 16)


def test_modality_lut_comes_before_the_window() -> None:
  tags = {
    'ModalityLUTSequence': [_table([500, 600, 700], 0, 16)],
    'WindowCenter': 600.5,
    'WindowWidth': 201,
  }
  tags['ModalityLUTSequence'][0].ModalityLUTType = 'US'
  got = _decode(_line(0, 1, 2, 9), **tags)[0, :, 0]
  np.testing.assert_allclose(got, [0, 127.5, 255, 255], atol=2e-5)


def _examine(pixels: np.ndarray, levels: str = 'window', **options):
  return images.examine(_encoded(_dataset(pixels, **options)), levels)


_BY_BITS = ': all that their bits can store is shown'


@pytest.mark.parametrize(
  'tags, note',
  [
    ({'WindowCenter': 3, 'WindowWidth': 0}, 'window'),
    ({'WindowCenter': 3, 'WindowWidth': -5}, 'window'),
    ({'WindowCenter': 3, 'WindowWidth': 0.5}, 'window'),
    ({'WindowWidth': 9}, 'window'),
    ({'WindowCenter': 9}, 'window'),
    (
      {'WindowCenter': 3, 'WindowWidth': 9, 'VOILUTFunction': 'LOG'},
      'window',
    ),
    ({'VOILUTSequence': [pydicom.Dataset()]}, 'table'),
  ],
)
def test_a_window_that_cannot_be_used_is_noted(tags: dict, note: str) -> None:
  pixels = _line(0, 1000, 4095)
  got = _examine(pixels, bits=12, **tags)
  want = images.decode(_encoded(_dataset(pixels, bits=12)))
  np.testing.assert_array_equal(got.pixels, want)
  assert got.note == f'{{}} have a {note} that cannot be used{_BY_BITS}'
  assert got.range == 'stored'


def test_what_can_be_used_takes_the_place_of_what_cannot() -> None:
  pixels, window = _line(90, 110), {'WindowCenter': 100, 'WindowWidth': 50}
  want = _examine(pixels, **window)
  assert (want.range, want.note) == ('window', '')
  several = {'WindowCenter': [5, 100], 'WindowWidth': [0, 50]}
  got = _examine(pixels, **several)
  np.testing.assert_array_equal(got.pixels, want.pixels)
  got = _examine(pixels, VOILUTSequence=[pydicom.Dataset()], **window)
  np.testing.assert_array_equal(got.pixels, want.pixels)
  assert got.note == '{} have a table that cannot be used: the window is used'


@pytest.mark.parametrize('first', [0, 1])
def test_functional_groups_are_read(first: int) -> None:
  """Enhanced images keep rescaling and window per frame, or for all."""
  inner, window = pydicom.Dataset(), pydicom.Dataset()
  inner.RescaleSlope, inner.RescaleIntercept = 2, -100
  window.WindowCenter, window.WindowWidth = 50, 101
  groups = [pydicom.Dataset(), pydicom.Dataset()]
  groups[first].PixelValueTransformationSequence = [inner]
  groups[1 - first].FrameVOILUTSequence = [window]
  got = _examine(
    _line(0, 50, 75, 200),
    NumberOfFrames=1,
    SharedFunctionalGroupsSequence=groups[:1],
    PerFrameFunctionalGroupsSequence=groups[1:],
  )
  np.testing.assert_allclose(got.pixels[0, :, 0], [0, 1.275, 128.775, 255])
  assert got.stored == (-100, 62.5, 300)


@pytest.mark.parametrize('highest', [255, 4095])
def test_tables_have_the_bits_of_their_entries(highest: int) -> None:
  """Many declare those that they are stored in."""
  entries = [0, highest // 5, highest]
  for name in ('VOILUTSequence', 'ModalityLUTSequence'):
    got = _decode(_line(0, 1, 2), **{name: [_table(entries, 0, 16)]})
    np.testing.assert_allclose(got[0, :, 0], [0, 51, 255], atol=1e-4)
  got = _decode(_line(0, 1, 2), VOILUTSequence=[_table(entries, 0, 8)])
  np.testing.assert_allclose(got[0, :, 0], [0, 51, 255], atol=1e-4)


def test_palettes_have_the_bits_of_their_entries() -> None:
  """One channel's colours are no brighter for being rarer."""
  colours = np.array([[0, 1, 2], [255, 9, 5], [7, 8, 9]])
  tags: dict = {'PhotometricInterpretation': 'PALETTE COLOR'}
  for channel, name in enumerate(('Red', 'Green', 'Blue')):
    name = f'{name}PaletteColorLookupTable'
    tags[f'{name}Descriptor'] = [3, 0, 16]
    tags[f'{name}Data'] = colours[:, channel].astype('<u2').tobytes()
  got = _decode(np.array([[0, 1, 2]], np.uint8), **tags)
  np.testing.assert_array_equal(got[0], colours)


def test_palettes_in_segments() -> None:
  tags: dict = {'PhotometricInterpretation': 'PALETTE COLOR'}
  for name, last in (('Red', 65_535), ('Green', 0), ('Blue', 257)):
    tags[f'{name}PaletteColorLookupTableDescriptor'] = [256, 0, 16]
    # One entry of 0, and a line from there (PS3.3 C.7.9.2).
    body = np.array([0, 1, 0, 1, 255, last], '<u2').tobytes()
    tags[f'Segmented{name}PaletteColorLookupTableData'] = body
  got = _decode(np.array([[0, 51, 255]], np.uint8), **tags)
  want = [[0, 0, 0], [51, 0, 0.2], [255, 0, 1]]
  np.testing.assert_allclose(got[0], want, atol=2e-3)


def test_ct_without_a_window_shows_hounsfield_units() -> None:
  pixels = _line(-2000, -1024, 1023, 3071, dtype=np.int16)
  got = _examine(pixels, signed=True, Modality='CT', PixelPaddingValue=-2000)
  want = [0, 0, 255 * 2047 / 4095, 255]
  np.testing.assert_allclose(got.pixels[0, :, 0], want, atol=1e-4)
  assert got.note == '{} are CT without a window: -1024 to 3071 HU are shown'
  assert got.range == '-1024 to 3071 HU'
  assert got.stored.minimum == -1024  # Padding is no value.
  # Whoever asks for all that is stored gets it, and a window that is there
  # counts; so do the bits of a picture of the screen.
  stored = _examine(pixels, 'stored', signed=True, Modality='CT')
  assert stored.range == 'stored' and np.ptp(stored.pixels) < 25
  window = {'WindowCenter': 40, 'WindowWidth': 400}
  assert _examine(pixels, signed=True, Modality='CT', **window).note == ''
  picture = _line(0, 255, dtype=np.uint8)
  assert np.ptp(_examine(picture, Modality='CT').pixels) == 255


@pytest.mark.parametrize('signed', [False, True])
def test_the_range_of_each_image(signed: bool) -> None:
  dtype = np.int16 if signed else np.uint16
  pixels = _line(500, 1000, 1500, 2000, 60_000 - 65_536 * signed, dtype=dtype)
  tags = {
    'PixelPaddingValue': int(pixels[0, -1]),
    'WindowCenter': 1,
    'WindowWidth': 2,
  }
  got = _examine(pixels, 'image', signed=signed, **tags)
  want = [0, 85, 170, 255, 0 if signed else 255]
  np.testing.assert_allclose(got.pixels[0, :, 0], want, atol=1e-4)
  assert (got.range, got.stored[0], got.stored[2]) == ('image', 500, 2000)
  assert got.shown == (0, 127.5, 255)
  kind = {'PhotometricInterpretation': 'MONOCHROME1'}
  dark = _examine(pixels, 'image', signed=signed, **tags, **kind)
  np.testing.assert_array_equal(dark.pixels, 255 - got.pixels)
  stored = _examine(pixels, 'stored', signed=signed, **tags)
  plain = _decode(pixels, signed=signed)
  np.testing.assert_array_equal(stored.pixels, plain)


def test_what_is_told_of_values() -> None:
  got = _examine(_line(7, 9), bits=12, RescaleSlope=2, RescaleIntercept=-3)
  assert (got.format, got.bits, got.range) == ('DICOM', 12, 'stored')
  assert got.stored == (11, 13, 15)


def test_colours_of_8_and_16_bits() -> None:
  pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
  got = _decode(pixels)
  assert got.dtype == np.uint8
  np.testing.assert_array_equal(got, pixels)
  deep = pixels.astype(np.uint16) * 16
  np.testing.assert_allclose(
    _decode(deep, bits=12), deep * (255 / 4095), atol=5e-5
  )


def test_planes_and_ybr() -> None:
  pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
  planes = _dataset(pixels, PlanarConfiguration=1)
  planes.PixelData = np.moveaxis(pixels, -1, 0).tobytes()
  np.testing.assert_array_equal(images.decode(_encoded(planes)), pixels)
  gray = np.stack([pixels[..., 0]] + [np.full((4, 6), 128)] * 2, axis=-1)
  got = _decode(gray.astype(np.uint8), PhotometricInterpretation='YBR_FULL')
  np.testing.assert_allclose(got, pixels[..., [0, 0, 0]], atol=1)


@pytest.mark.parametrize('bits', [8, 16])
def test_palettes_are_looked_up(bits: int) -> None:
  colours = np.array([[0, 1, 2], [255, 99, 5], [7, 8, 9]])
  tags: dict = {'PhotometricInterpretation': 'PALETTE COLOR'}
  for channel, name in enumerate(('Red', 'Green', 'Blue')):
    name = f'{name}PaletteColorLookupTable'
    tags[f'{name}Descriptor'] = [3, 1, bits]
    body = colours[:, channel] * (257 if bits == 16 else 1)
    body = body.astype(f'<u{bits // 8}').tobytes()
    tags[f'{name}Data'] = body + bytes(len(body) % 2)
  pixels = np.array([[0, 1, 2, 3, 200]], np.uint8)
  got = _decode(pixels, **tags)
  np.testing.assert_array_equal(got[0], colours[[0, 0, 1, 2, 2]])


def _with_syntax(dataset: pydicom.Dataset, syntax: uid.UID) -> pydicom.Dataset:
  dataset.file_meta.TransferSyntaxUID = syntax
  return dataset


@pytest.mark.parametrize('words', [False, True])
def test_implicit_and_big_endian_files(words: bool) -> None:
  pixels = _line(0, 100, 4095)

  def encoded(syntax: uid.UID, order: str) -> bytes:
    item = _table([0, 700, 4095], 99, 12)
    if words:  # Bytes that the file's order of bytes gives a meaning.
      body = np.array([0, 700, 4095], f'{order}u2').tobytes()
      item.add_new('LUTData', 'OW', body)
    swapped = pixels.astype(f'{order}u2')
    dataset = _dataset(swapped, bits=12, VOILUTSequence=[item])
    return _encoded(_with_syntax(dataset, syntax))

  for syntax, order in (
    (uid.ExplicitVRLittleEndian, '<'),
    (uid.ImplicitVRLittleEndian, '<'),
    (uid.ExplicitVRBigEndian, '>'),
  ):
    got = images.decode(encoded(syntax, order))[0, :, 0]
    want = [0, 700 * 255 / 4095, 255]
    np.testing.assert_allclose(got, want, atol=2e-5, err_msg=syntax.name)


@pytest.mark.parametrize(
  'name',
  [
    '693_J2KI',
    'CT_small',
    'ExplVR_BigEnd',
    'JPEG2000',
    'MR_small',
    'MR_small_RLE',
    'MR_small_bigendian',
    'MR_small_implicit',
    'MR_small_jp2klossless',
    'SC_rgb_dcmtk_+eb+cr',
    'SC_rgb_dcmtk_+eb+cy+np',
    'SC_rgb_gdcm_KY',
    'SC_rgb_jpeg_dcmtk',
    'SC_rgb_rle',
    'SC_rgb_rle_16bit',
    'SC_rgb_small_odd',
    'SC_rgb_small_odd_jpeg',
    'SC_ybr_full_422_uncompressed',
    'examples_jpeg2k',
    'examples_overlay',
    'examples_palette',
    'examples_rgb_color',
    'liver_1frame',
  ],
)
def test_real_files_are_shown_as_pydicom_shows_them(name: str) -> None:
  path = _TESTED / f'{name}.dcm'
  dataset = pydicom.dcmread(path)
  stored = dataset.pixel_array
  if stored.ndim == 3:
    want = stored / (2**dataset.BitsStored - 1) * 255
  elif dataset.PhotometricInterpretation == 'PALETTE COLOR':
    want = pydicom_pixels.apply_color_lut(stored, dataset) / 257
  else:
    # Its output is in the units of the modality; CT without a window has one.
    if dataset.Modality == 'CT' and 'WindowWidth' not in dataset:
      dataset.WindowCenter, dataset.WindowWidth = 1024, 4096
    low, high = 0, 2**dataset.BitsStored - 1
    if dataset.PixelRepresentation:
      low, high = -(high + 1) // 2, high // 2
    shown = pydicom_pixels.apply_modality_lut(stored, dataset)
    shown = pydicom_pixels.apply_voi_lut(shown, dataset).astype(float)
    intercept = float(dataset.get('RescaleIntercept', 0))
    assert float(dataset.get('RescaleSlope', 1)) == 1
    want = ((shown - low - intercept) / (high - low) * 255)[..., None]
  got = images.decode(path.read_bytes())
  # Where another decoder of JPEG is installed, pydicom prefers it.
  lossy = 'jpeg' in name.lower() or 'dcmtk' in name
  np.testing.assert_allclose(
    got, np.broadcast_to(want, got.shape), rtol=0, atol=2 if lossy else 1e-4
  )


def test_one_image_in_six_encodings_is_one_image() -> None:
  names = ('', '_RLE', '_bigendian', '_implicit', '_jp2klossless', '_expb')
  found = {
    images.pixel_digest(
      images.decode((_TESTED / f'MR_small{name}.dcm').read_bytes())
    )
    for name in names
  }
  assert len(found) == 1


def test_rle_within_a_window_of_a_real_file() -> None:
  """Two pixels of MR_small by hand: window 600, 1600."""
  dataset = pydicom.dcmread(_TESTED / 'MR_small.dcm')
  got = images.decode((_TESTED / 'MR_small.dcm').read_bytes())
  values = np.frombuffer(dataset.PixelData, '<i2').reshape(64, 64)
  for row, column in ((0, 0), (31, 40)):
    want = (values[row, column] - 599.5) / 1599 + 0.5
    want = 255 * min(max(want, 0), 1)
    assert got[row, column, 0] == pytest.approx(want, abs=1e-4)


def _deflated() -> bytes:
  """A mebibyte that would inflate to a gibibyte."""
  dataset = _with_syntax(_dataset(_line(1)), uid.DeflatedExplicitVRLittleEndian)
  data = _encoded(dataset)
  packer = zlib.compressobj(wbits=-15)
  start = packer.compress(b'.') + packer.flush(zlib.Z_FULL_FLUSH)
  block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
  length = struct.unpack('<I', data[140:144])[0]
  return data[: 144 + length] + start + 64 * block + packer.flush()


def _lossy(**tags) -> bytes:
  dataset = pydicom.dcmread(_TESTED / 'SC_rgb_jpeg_dcmtk.dcm')
  for name, value in tags.items():
    setattr(dataset, name, value)
  return _encoded(dataset)


def _framed(syntax: str, frame: bytes) -> bytes:
  """Two pixels of 8 bits, which a frame should hold."""
  dataset = _with_syntax(_dataset(_line(1, 2)), syntax)
  dataset.Rows, dataset.Columns = 1, 2
  dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
  dataset.PixelData = encaps.encapsulate([frame])
  return _encoded(dataset)


def _runs() -> bytes:
  """8 MiB that would become half a gibibyte."""
  header = np.zeros(16, '<u4')
  header[:2] = 1, 64
  return _framed(uid.RLELossless, header.tobytes() + 2**22 * b'\x81\0')


def _deep() -> bytes:
  """Values of 16 bits, of which 8 would be left."""
  file = io.BytesIO()
  pixels = np.array([[1, 40_000]], np.uint16)
  Image.fromarray(pixels).save(file, 'JPEG2000', no_jp2=True)
  return _framed(uid.JPEG2000Lossless, file.getvalue())


def _without(*names: str) -> bytes:
  dataset = _dataset(_line(1, 2))
  for name in names:
    del dataset[name]
  return _encoded(dataset)


def _floats() -> bytes:
  dataset = _dataset(_line(1, 2))
  del dataset.PixelData
  dataset.FloatPixelData = np.ones(2, np.float32).tobytes()
  return _encoded(dataset)


def _real(name: str) -> bytes:
  return (_TESTED / f'{name}.dcm').read_bytes()


def _made(*values: int, **tags) -> bytes:
  return _encoded(_dataset(_line(*(values or (1, 2))), **tags))


_LARGE = 'more pixels than an image may have'
_BROKEN = {
  'no image': (lambda: _real('test-SR'), 'without pixels of whole numbers'),
  'no pixels': (lambda: _without('PixelData'), 'without pixels of whole'),
  'floats': (_floats, 'without pixels of whole numbers'),
  'no size': (lambda: _without('Rows'), 'cannot be decoded'),
  'no syntax': (lambda: _real('meta_missing_tsyntax'), 'cannot be decoded'),
  'frames': (
    lambda: _real('SC_rgb_rle_2frame'),
    'DICOM of 2 frames: save the one to study as its own file',
  ),
  '32 bits': (lambda: _real('SC_rgb_rle_32bit'), 'DICOM pixels of 32 bits'),
  'shifted': (lambda: _made(HighBit=13), 'with 16 in use up to bit 13'),
  'truncated': (
    lambda: _real('MR_truncated'),
    'pixel data is less than expected',
  ),
  'frame': (
    lambda: _real('GDCMJ2K_TextGBR'),
    'exceptions were raised by all available plugins: pillow: broken data',
  ),
  'lossless jpeg': (
    lambda: _real('SC_rgb_jpeg_gdcm'),
    'DICOM compressed as JPEG Lossless, Non-Hierarchical',
  ),
  'jpeg-ls': (
    lambda: _real('MR_small_jpeg_ls_lossless'),
    'DICOM compressed as JPEG-LS Lossless Image Compression: decompress',
  ),
  '12-bit jpeg': (lambda: _real('JPGExtended'), 'compressed as JPEG Ext'),
  'deflated': (_deflated, 'deflated DICOM: save it uncompressed'),
  'huge': (lambda: _made(Rows=65_535, Columns=65_535), _LARGE),
  'huge frame': (lambda: _real('JPEG2000-embedded-sequence-delimiter'), _LARGE),
  'size of the frame': (
    lambda: _lossy(Rows=10, Columns=10),
    'whose frame has another size',
  ),
  'runs': (_runs, 'whose frame has another size'),
  'bits of the frame': (_deep, 'whose frame has more bits than its pixels'),
  'frames that are not counted': (
    lambda: _made(1, 2, 3, 4, 5, 6, Columns=2),
    'more pixels than its size says',
  ),
  'kind': (
    lambda: _made(PhotometricInterpretation='ARGB'),
    "unknown kind 'ARGB'",
  ),
  'slope': (
    lambda: _made(RescaleSlope=0, RescaleIntercept=1),
    'DICOM whose values cannot differ',
  ),
  'infinite': (
    lambda: _made(RescaleSlope='1e300', RescaleIntercept=0),
    'is not finite',
  ),
}


@pytest.mark.parametrize('kind', _BROKEN)
def test_what_cannot_be_used_says_why(kind: str) -> None:
  make, reason = _BROKEN[kind]
  said = _reason(make())
  assert reason in said and said == _reason(make())


def test_dicom_is_told_by_its_content() -> None:
  data = _encoded(_dataset(_line(1, 2)))
  assert data[128:132] == b'DICM'
  assert images.decode(data).shape == (1, 2, 3)


@pytest.mark.parametrize('syntax', _PLAIN)
@pytest.mark.parametrize('cut', ['preamble', 'meta'])
def test_dicom_may_begin_with_its_first_group(
  syntax: uid.UID, cut: str
) -> None:
  dataset = _dataset(_line(0, 4095, 100), bits=12)
  dataset.file_meta.TransferSyntaxUID = syntax
  whole = io.BytesIO()
  pydicom.dcmwrite(whole, dataset, enforce_file_format=True)
  data = whole.getvalue()
  start = 132
  if cut == 'meta':  # Its group length is of what follows it.
    start += 12 + int.from_bytes(data[140:144], 'little')
  assert content.kind(data[start:]) == 'DICOM'
  np.testing.assert_array_equal(
    images.decode(data[start:]), images.decode(data)
  )


# With little memory, and all that would be written to a screen is seen.
_ALONE = """
import logging, pathlib, resource, sys
if sys.argv[2] == 'without':
  sys.modules['pydicom'] = None
from heterojax.datasets import images
logging.basicConfig()

def look(path):
  try:
    images.decode(path.read_bytes())
    return 'fine'
  except images.UnreadableImage as error:
    return 'Memory' if 'Memory' in str(error) else str(error)

folder = pathlib.Path(sys.argv[1])
look(folder / 'fine')  # Loads what is loaded but once.
used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()
limit = used + 300 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for path in sorted(folder.iterdir()):
  print(path.name, look(path), sep=': ')
"""


def _alone(folder: pathlib.Path, how: str) -> dict[str, str]:
  done = subprocess.run(
    [sys.executable, '-c', _ALONE, str(folder), how],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stderr == ''
  return dict(line.split(': ', 1) for line in done.stdout.splitlines())


@pytest.mark.slow
@pytest.mark.skipif(
  sys.platform != 'linux', reason='memory is limited as Linux does it'
)
def test_nothing_is_allocated_or_written_for_what_is_refused(
  tmp_path: pathlib.Path,
) -> None:
  for kind, (make, _) in _BROKEN.items():
    (tmp_path / kind).write_bytes(make())
  (tmp_path / 'fine').write_bytes(_made())
  found = _alone(tmp_path, 'with')
  assert found.pop('fine') == 'fine'
  assert set(found) == set(_BROKEN)
  for kind, (_, reason) in _BROKEN.items():
    assert reason in found[kind]


@pytest.mark.slow
@pytest.mark.skipif(
  sys.platform != 'linux', reason='memory is limited as Linux does it'
)
def test_without_pydicom_the_reason_names_the_extra(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / 'fine').write_bytes(_made())
  assert _alone(tmp_path, 'without') == {
    'fine': "reading DICOM needs pydicom: pip install 'heterojax[dicom]'"
  }


_SOUND = {
  name: _real(name)
  for name in (
    'MR_small',
    'MR_small_RLE',
    'MR_small_jp2klossless',
    'MR_small_implicit',
    'SC_rgb_jpeg_dcmtk',
    'SC_rgb_small_odd',
  )
} | {
  'tables': _made(VOILUTSequence=[_table([1, 2, 3], 0, 8)]),
  'window': _made(WindowCenter=3, WindowWidth=9, RescaleSlope=2),
}


@pytest.mark.medium
@hypothesis.given(
  st.sampled_from(sorted(_SOUND)),
  st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)),
    min_size=1,
    max_size=20,
  ),
  st.floats(0.1, 1),
)
@hypothesis.settings(deadline=None, max_examples=300)
def test_damaged_files_are_read_or_refused(
  kind: str, changes: list[tuple[float, int]], kept: float
) -> None:
  data = bytearray(_SOUND[kind])
  for position, value in changes:
    # Mostly in the header, which is short.
    data[132 + int(position**3 * (len(data) - 132))] = value
  data = bytes(data if kept > 0.5 else data[: int(kept * 2 * len(data))])
  try:
    got = images.decode(data)
  except images.UnreadableImage as error:
    assert str(error) and ' at 0x' not in str(error) and '\n' not in str(error)
  else:
    assert got.ndim == 3 and got.shape[2] == 3
    assert got.dtype in (np.uint8, np.float32)
    assert got.min() >= 0 and got.max() <= 255


@pytest.mark.parametrize('kind', ['MR_small_RLE', 'window', 'tables'])
def test_truncated_files_are_refused(kind: str) -> None:
  data = _SOUND[kind]
  whole = images.decode(data)
  for end in range(132, len(data), 1 + len(data) // 500):
    try:
      got = images.decode(data[:end])
    except images.UnreadableImage as error:
      assert str(error)
    else:
      # Only what lies behind the pixels may be missing.
      assert end > 0.97 * len(data)
      np.testing.assert_array_equal(got, whole)


def _of_meta(syntax: bytes, rest: bytes) -> bytes:
  """A file in Part 10 format, whose meta information is its syntax alone."""
  syntax += b'\0' * (len(syntax) % 2)
  named = b'\x02\0\x10\0UI' + len(syntax).to_bytes(2, 'little') + syntax
  length = len(named).to_bytes(4, 'little')
  return bytes(128) + b'DICM\x02\0\0\0UL\x04\0' + length + named + rest


@pytest.mark.parametrize(
  'data',
  [
    # An element of three bytes that claims 1.6 GB.
    _of_meta(b'1.2.840.10008.1.2.1', b'\x10\0\x20\0UN\0\0\0\0\0\x60' + b'abc'),
    # 64 MB of zeros, deflated.
    _of_meta(
      b'1.2.840.10008.1.2.1.99',
      zlib.compress(bytes(64 << 20))[2:-4],
    ),
  ],
  ids=['claimed', 'deflated'],
)
def test_a_header_takes_no_more_than_its_file(
  tmp_path: pathlib.Path, data: bytes
) -> None:
  sound = _encoded(_dataset(np.zeros((2, 2), np.uint16), PatientID='one'))
  path = tmp_path / 'a.dcm'
  path.write_bytes(sound)
  # pylint: disable-next=protected-access
  assert headers._header(path)['PatientID'] == 'one'  # Imports, too.
  path.write_bytes(data)
  tracemalloc.start()
  try:
    headers._header(path)  # pylint: disable=protected-access
    _, peak = tracemalloc.get_traced_memory()
  finally:
    tracemalloc.stop()
  assert peak < 8 << 20
