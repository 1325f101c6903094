"""Image files to features, beside its two halves alone.

All three go through what a study uses: the reader, and the loop that stores
features. Work overlaps where the whole takes hardly longer than its slower
half, which is a ratio near 1 for the larger of the two.
"""

from collections.abc import Callable
import contextlib
import functools
import io
import itertools
import pathlib
from typing import Any

import numpy as np

from benchmarks import networks
from benchmarks import sides

SIZE = 224
_BATCH = 16
_DIM = 1280  # Of both EfficientNets.


def pictures(number: int) -> tuple[Any, list[Any]]:
  """Where images are, and so many of them, with repeats if there are fewer."""
  from heterojax import features
  from heterojax.datasets import augmentation
  from heterojax.datasets import sources

  folder = sides.odir() / 'preprocessed_images'
  names = itertools.cycle(sorted(path.name for path in folder.glob('*.jpg')))
  chosen = itertools.islice(names, number)
  return sources.Files(folder), [
    features.Picture(name, augmentation.IDENTITY) for name in chosen
  ]


def extracting(
  network: str,
  source: Any,
  pictures: list[Any],
  how: Any,
  folder: pathlib.Path,
) -> Callable[[], np.ndarray]:
  """Pictures to stored features `[P, D]`, each time anew, compiled before."""
  from heterojax import features
  from heterojax.compute import forward

  shape = (how.batch_size, how.image_size, how.image_size, 3)
  backbone, compiled = networks.of_ours(network, shape)
  forward.batches = lambda *_: contextlib.nullcontext(compiled)
  features.dim = lambda *_: _DIM
  numbers = itertools.count()

  def run() -> np.ndarray:
    own = folder / str(next(numbers))
    plan = features.Plan(backbone, source, tuple(pictures), how, None)
    return features.extract(plan, own).x

  return run


def _side(scale: sides.Scale, *, decode: bool, extract: bool) -> sides.Side:
  sides.start_ours()
  from heterojax import features

  source, chosen = pictures(1024 if scale.full else 128)
  how = features.Extraction('avg', SIZE, 'keras', _BATCH, sides.threads())
  starts = range(0, len(chosen), _BATCH)
  blocks = [slice(i, min(i + _BATCH, len(chosen))) for i in starts]
  decoded = functools.partial(features.decoded, source, chosen, blocks, how)
  if not extract:
    return sides.Side(lambda: {'batches': np.array(sum(1 for _ in decoded()))})
  if not decode:
    batches = list(decoded())
    features.decoded = lambda *_, **options: (batch for batch in batches)
  folder = scale.folder / f'decode={decode}'
  run = extracting(networks.B0, source, chosen, how, folder)
  return sides.Side(run, compared=lambda x: {'features': np.array(x)})


def _mosaics(number: int, folder: pathlib.Path) -> tuple[Any, list[Any]]:
  """Files of 1,024 x 1,024, each of 16 images, and where they are."""
  from PIL import Image

  from heterojax import features
  from heterojax.datasets import augmentation
  from heterojax.datasets import sources

  folder.mkdir()
  source, small = pictures(16 * number)
  for start in range(0, len(small), 16):
    whole = Image.new('RGB', (1024, 1024))
    for i, picture in enumerate(small[start : start + 16]):
      data = io.BytesIO(source.read(picture.path))
      whole.paste(Image.open(data), (i % 4 * 256, i // 4 * 256))
    whole.save(folder / f'{start:05}.jpg', quality=90)
  names = sorted(path.name for path in folder.glob('*.jpg'))
  chosen = [features.Picture(name, augmentation.IDENTITY) for name in names]
  return sources.Files(folder), chosen


def _of_large(scale: sides.Scale, resize: Any) -> sides.Side:
  sides.start_ours()
  from heterojax import features

  folder = scale.folder / resize
  source, chosen = _mosaics(256 if scale.full else 32, folder)
  how = features.Extraction('avg', SIZE, resize, _BATCH, sides.threads())
  run = extracting(networks.B0, source, chosen, how, folder)
  return sides.Side(run, compared=lambda x: {'features': np.array(x)})


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  if 'features' not in theirs:
    return {}
  error = sides.relative_error(ours['features'], theirs['features'])
  return {'relative_error': error}


CASES = {
  'endtoend/decode_extract': sides.Case(
    'features of 128 JPEG files (full: 1,024)',
    {
      'ours': functools.partial(_side, decode=True, extract=True),
      'heterojax/decoding alone': functools.partial(
        _side, decode=True, extract=False
      ),
      'heterojax/extraction alone': functools.partial(
        _side, decode=False, extract=True
      ),
    },
    _quality,
  ),
  'endtoend/reduced': sides.Case(
    'features of 32 JPEG files of 1,024 x 1,024 (full: 256), reduced',
    {
      'ours': functools.partial(_of_large, resize='reduced'),
      'heterojax/antialias': functools.partial(_of_large, resize='antialias'),
      'heterojax/keras': functools.partial(_of_large, resize='keras'),
    },
    _quality,
  ),
}
