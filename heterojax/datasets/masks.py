"""What lies beside images and is none of them: masks, by name and by pixels."""

import re

import numpy as np

_WORDS = frozenset({
  'mask',
  'masks',
  'segmentation',
  'segmentations',
  'seg',
  'segs',
  'label',
  'labels',
  'annotation',
  'annotations',
  'groundtruth',
  'gt',
})
_PAIR = {'ground', 'truth'}
_HUMP = re.compile('(?<=[a-z])(?=[A-Z])')
_WORD = re.compile(r'[^\W\d_]+')
BY_NAME = 'a mask, segmentation or annotation by its name'
BY_PIXELS = 'a picture of two values, as masks are'


def words(name: str) -> frozenset[str]:
  """The words of a name in small letters; of 'TestSet_2' test and set."""
  found = frozenset(map(str.lower, _WORD.findall(_HUMP.sub(' ', name))))
  return found - _PAIR | {'groundtruth'} if found >= _PAIR else found


def said(name: str) -> frozenset[str]:
  """The words of a name that speak of masks."""
  return words(name) & _WORDS


def is_two_valued(pixels: np.ndarray) -> bool:
  """Whether a picture has two colours and no other.

  Args:
    pixels: `[H, W, C]`.
  """
  step = [max(length // 32, 1) for length in pixels.shape[:2]]
  # Photographs are told by a few of their pixels.
  return _has_two(pixels[:: step[0], :: step[1]], 1) and _has_two(pixels, 2)


def _has_two(pixels: np.ndarray, least: int) -> bool:
  """Whether there are two colours at most, and at least so many."""
  colours = pixels.reshape(-1, pixels.shape[-1])
  others = colours[(colours != colours[0]).any(axis=1)]
  if not len(others):
    return least < 2
  return bool((others == others[0]).all())
