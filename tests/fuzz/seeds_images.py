"""Seeds of images: each photometric kind, depth, layout and way to be odd."""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from pydicom import uid

from fuzz.harness import Input

# pylint: disable=protected-access,import-outside-toplevel
_SYNTAXES = uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian


def images() -> Iterator[Input]:
  import test_images as t

  pixels = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
  picture, deep = Image.fromarray(pixels), pixels.astype(np.uint16) * 200
  contents = [
    *(t._encoded(picture.convert(m), 'PNG') for m in ('1', 'L', 'LA', 'RGBA')),
    *(t._encoded(picture.convert(m), 'TIFF') for m in ('1', 'L', 'F', 'I')),
    *(_turned(t, picture, turn) for turn in range(1, 9)),
    t._encoded(deep[..., 0], 'TIFF'),
    t._encoded(np.full((4, 4), np.nan, np.float32), 'TIFF'),
    t._encoded(picture, 'GIF', save_all=True, append_images=[_black()]),
    *(t._tiff(deep), t._tiff(deep, _284=(2,))),
    t._tiff(deep[..., 0], _262=(0,)),
    *(b'', b'no image', bytes(200), b'\x89PNG\r\n\x1a\n', bytes(128) + b'DICM'),
    *(b'\x08\0\x05\0CS', b'\x08\0\0\0\x04\0\0\0abcd'),
  ]
  whole = t._encoded(picture, 'PNG')
  contents += [
    whole[:60],
    whole[:16] + b'\x7f\xff\xff\xff' * 2 + whole[24:],
    whole[:16] + b'\0\0\x9c\x40' * 2 + whole[24:],
    whole[:16] + b'\0\1\0\0\0\0\0\1' + whole[24:],
  ]
  for content in contents:
    for args in (
      {},
      {'levels': 'image', 'how': 'antialias'},
      {'how': 'reduced', 'at_least': 2},
    ):
      yield Input(files={'image': content}, args=args)
  yield Input(files={'image': contents[0]}, args={'levels': 'stored'})
  for side in (40, 41):  # Read at an eighth of its size; the last block is cut.
    content = t._encoded(picture.resize((side, side)), 'JPEG')
    yield Input(files={'image': content}, args={'at_least': 5})
  for name in ('none', '.', 'a\0b', 'a' * 300, 'image/x'):
    yield Input(files={'image': whole}, args={'name': name})
  yield Input(links={'image': 'image'})
  yield Input(pipes=('image',))


def _black() -> Image.Image:
  return Image.new('RGB', (10, 10))


def _turned(t, picture: Image.Image, turn: int) -> bytes:
  exif = Image.Exif()
  exif[274] = turn
  return t._encoded(picture, 'JPEG', exif=exif)


def dicom() -> Iterator[Input]:
  import pydicom
  import test_dicom as t

  contents = [make() for make, _ in t._BROKEN.values()]
  table = t._table([1, 2, 300], 0, 16)
  made = t._made
  window = {'WindowCenter': 3, 'WindowWidth': 9}
  for tags in (
    {'PhotometricInterpretation': 'MONOCHROME1'},
    *({'PixelPaddingValue': value} for value in (1, 7)),
    {'PixelPaddingValue': 1, 'PixelPaddingRangeLimit': 2},
    *({'Modality': 'CT'} | more for more in ({}, {'WindowWidth': 0})),
    window | {'WindowWidth': 0},
    window | {'WindowCenter': ''},
    *(
      window | {'VOILUTFunction': function}
      for function in ('SIGMOID', 'LINEAR_EXACT', 'LINEAR', 'NONE')
    ),
    {'WindowCenter': 1, 'WindowWidth': 1},
    {'WindowCenter': [1, 2], 'WindowWidth': [0, 5]},
    {'VOILUTSequence': [table]},
    {'VOILUTSequence': [pydicom.Dataset()]},
    {'VOILUTSequence': [pydicom.Dataset()]} | window,
    {'ModalityLUTSequence': [table]},
    {'ModalityLUTSequence': [table], 'RescaleType': 'HU'},
    {'RescaleType': 'HU', 'VOILUTSequence': [pydicom.Dataset()]},
  ):
    contents.append(made(**tags))
  signed = np.array([[-5, 5]], np.int16)
  colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
  for pixels, options in (
    (signed, {'signed': True}),
    (signed, {'signed': True, 'PixelPaddingValue': -5}),
    (signed.astype(np.uint8), {'PixelPaddingValue': 300}),
    (colours.astype(np.int8) - 5, {'signed': True}),
    (colours, {}),
    (colours, {'bits': 7}),
    (colours, {'bits': 2}),
    (colours.astype(np.uint16) * 99, {'bits': 12}),
    (colours, {'PhotometricInterpretation': 'YBR_FULL'}),
    (colours, {'PlanarConfiguration': 1}),
  ):
    contents.append(t._encoded(t._dataset(pixels, **options)))
  for bits in (8, 16):
    contents += _palettes(t, bits)
  shared = pydicom.Dataset()
  shared.FrameVOILUTSequence = [pydicom.Dataset()]
  shared.FrameVOILUTSequence[0].WindowCenter = 3
  shared.FrameVOILUTSequence[0].WindowWidth = 9
  contents.append(made(SharedFunctionalGroupsSequence=[shared]))
  for syntax in _SYNTAXES:
    dataset = t._dataset(t._line(1, 2))
    dataset.VOILUTSequence = [t._table([1, 2], 0, 16, packed=True)]
    contents.append(t._encoded(t._with_syntax(dataset, syntax)))
  # Without its preamble and meta information.
  contents += [content[132:] for content in contents[-2:]]
  for content in contents:
    for args in ({}, {'levels': 'image'}, {'levels': 'stored'}):
      yield Input(files={'image': content}, args=args)


def _palettes(t, bits: int) -> Iterator[bytes]:
  """Whose tables are whole, and in segments."""
  for segmented in ('', 'Segmented'):
    tags = {'PhotometricInterpretation': 'PALETTE COLOR'}
    for colour in ('Red', 'Green', 'Blue'):
      name = f'{colour}PaletteColorLookupTable'
      tags[f'{name}Descriptor'] = [4, 0, bits]
      data = np.arange(4) * (2 ** (bits - 3))
      if segmented:
        data = np.array([0, 4, *data])
      data = data.astype(f'u{bits // 8}').tobytes()
      tags[f'{segmented}{name}Data'] = data
    yield t._encoded(t._dataset(np.array([[0, 1, 2, 3]], np.uint8), **tags))
