"""MedMNIST's official .npz files (Yang et al. 2023), of any image size.

`train_images` [N, H, W] or [N, H, W, 3] uint8, `train_labels` [N, 1], and the
same for `val` and `test`. Labels are numbers; in BreastMNIST 0 is the disease.
"""

import dataclasses
import hashlib
import io
import pathlib
import threading
from typing import NamedTuple

import numpy as np
from PIL import Image

from heterojax import regular_files
from heterojax.datasets import classes
from heterojax.datasets import images
from heterojax.datasets import npz
from heterojax.datasets import sources
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_WORDS = {'train': 'train', 'validation': 'val', 'test': 'test'}


class _Published(NamedTuple):
  """A set of two classes, as the package medmnist 3.0.2 describes it."""

  names: tuple[str, str]  # Of the labels 0 and 1.
  positive: str
  counts: tuple[int, int, int]  # Training, validation and test images.
  md5: tuple[str, ...]  # For 28, 64, 128 and 224 pixels.


_PUBLISHED = {
  'breastmnist': _Published(
    names=('malignant', 'normal, benign'),
    positive='malignant',
    counts=(546, 78, 156),
    md5=(
      '750601b1f35ba3300ea97c75c52ff8f6',
      '742edef2a1fd1524b2efff4bd7ba9364',
      '363e4b3f8d712e9b5de15470a2aaadf1',
      'b56378a6eefa9fed602bb16d192d4c8b',
    ),
  ),
  'pneumoniamnist': _Published(
    names=('normal', 'pneumonia'),
    positive='pneumonia',
    counts=(4708, 524, 624),
    md5=(
      '28209eda62fecd6e6a2d98b1501bb15f',
      '8f4eceb4ccffa70c672198ea285246c6',
      '05b46931834c231683c68f40c47b2971',
      'd6a3c71de1b945ea11211b03746c1fe1',
    ),
  ),
}


@dataclasses.dataclass(frozen=True)
class Arrays:
  """Images of an .npz file; a path is `{split}_{index}`.

  Attributes:
    file: the .npz file.
    counts: images of each split.
    state: of the file when its labels were read.
  """

  file: pathlib.Path
  counts: dict[str, int] = dataclasses.field(compare=False)
  state: regular_files.State = dataclasses.field(compare=False)
  _loaded: dict[str, np.ndarray] = dataclasses.field(
    default_factory=dict, init=False, compare=False, repr=False
  )
  _lock: threading.Lock = dataclasses.field(
    default_factory=threading.Lock, init=False, compare=False, repr=False
  )

  @property
  def name(self) -> str:
    return str(self.file)

  def exists(self, path: str) -> bool:
    split, _, index = path.rpartition('_')
    return index.isdecimal() and int(index) < self.counts.get(split, 0)

  def read(self, path: str) -> bytes:
    """The image as BMP: lossless, and the same bytes from every library."""
    if not self.exists(path):
      raise images.UnreadableImage('not in the file')
    split, _, index = path.rpartition('_')
    buffer = io.BytesIO()
    Image.fromarray(self._split(split)[int(index)]).save(buffer, 'BMP')
    return buffer.getvalue()

  def inspect(self, path: str) -> sources.Inspection:
    return sources.inspect_image(self, path)

  def _split(self, split: str) -> np.ndarray:
    """A split's images; only whole ones can be taken out of the file."""
    with self._lock:
      if split not in self._loaded:
        loaded = npz.load(self.file, f'{_WORDS[split]}_images')
        regular_files.check(self.file, self.state)
        self._loaded[split] = loaded
      return self._loaded[split]


def read(
  path: pathlib.Path, named: classes.Classes, incomplete: bool = False
) -> Cohort:
  """Reads one of MedMNIST's 2-D sets with one label an image.

  Args:
    path: the .npz file, or a folder with one in it.
    named: see `classes.Classes`; none for BreastMNIST and PneumoniaMNIST, whose
      classes have names. The labels of other sets are '0', '1' and so on.
    incomplete: see `classes.merge`.

  Returns:
    All images, with the splits of the file; those of other labels are left out
    with that reason.

  Raises:
    UserError: if it is not such a file or the classes are not clear.
  """
  file = _find(path)
  state = regular_files.state(file)
  headers = npz.headers(file)
  labels = {
    split: _labels(file, headers, word)
    for split, word in _WORDS.items()
    if f'{word}_images' in headers
  }
  if not labels:
    raise UserError(
      f'{file} holds no train_images, val_images or test_images: give an .npz'
      ' file of MedMNIST.'
    )
  counts = {split: len(values) for split, values in labels.items()}
  codes = {int(value) for values in labels.values() for value in values}
  names, notes = {code: str(code) for code in codes}, ()
  if codes <= {0, 1}:
    name, genuine = _identify(file)
    if published := _PUBLISHED.get(name):
      names = dict(enumerate(published.names))
      if not any(named) or named == classes.ALL:
        named = (published.positive, '')
      if not genuine:
        notes = (_difference(file, name, counts),)
  merged = classes.merge(
    file,
    (names[int(value)] for values in labels.values() for value in values),
    named,
    incomplete,
  )
  there = [merged.name(names[code]) for code in codes]
  chosen = classes.choose(file, there, merged.named)
  candidates = []
  for split, values in labels.items():
    for index, value in enumerate(values):
      name = f'{split}_{index}'
      c = Candidate(name, name, names[int(value)], group='', split=split)
      candidates.append(classes.of_either(merged.labelled(c), chosen))
  return Cohort(
    file.stem,
    Arrays(file, counts, state),
    chosen,
    tuple(candidates),
    notes + merged.notes,
    label_columns=merged.label_columns,
  )


def _find(path: pathlib.Path) -> pathlib.Path:
  if not path.is_dir():
    if not path.exists():
      raise UserError(
        f'{path} does not exist: --config.data.dir must be an .npz file of'
        ' MedMNIST.'
      )
    return path
  files = sorted(path.glob('*.npz'))
  if len(files) != 1:
    raise UserError(
      f'{path} holds {len(files) or "no"} .npz files: --config.data.dir must'
      ' be one .npz file of MedMNIST, or a folder with one.'
    )
  return files[0]


def _labels(
  file: pathlib.Path, headers: dict[str, npz.Header], word: str
) -> np.ndarray:
  """Labels `[N]` of a split, checked against its images."""
  pictures = headers[f'{word}_images']
  shape = pictures.shape
  flat = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
  if not flat or 0 in shape[1:] or pictures.dtype != np.uint8:
    raise UserError(
      f'{file}: {word}_images is {pictures.dtype} {list(shape)}, but must be'
      ' uint8 [N, H, W] or [N, H, W, 3]; volumes are not studied.'
    )
  if f'{word}_labels' not in headers:
    raise UserError(f'{file} holds {word}_images without {word}_labels.')
  header = headers[f'{word}_labels']
  if len(header.shape) == 2 and header.shape[1] > 1:
    raise UserError(
      f'{file} has {header.shape[1]} labels an image, which are not two'
      ' classes: choose a set with one label an image.'
    )
  if header.shape[:1] != shape[:1] or len(header.shape) not in (1, 2):
    raise UserError(
      f'{file}: {word}_labels is {list(header.shape)} for {shape[0]} images.'
    )
  if header.dtype.kind not in 'iu':
    raise UserError(f'{file}: {word}_labels is {header.dtype}, not integers.')
  return npz.load(file, f'{word}_labels').reshape(-1)


def _identify(file: pathlib.Path) -> tuple[str, bool]:
  """Name of the set, and whether the file's content says so."""
  with file.open('rb') as opened:
    md5 = hashlib.file_digest(opened, 'md5').hexdigest()
  for name, published in _PUBLISHED.items():
    if md5 in published.md5:
      return name, True
  return file.stem.lower().partition('_')[0], False


def _difference(file: pathlib.Path, name: str, counts: dict[str, int]) -> str:
  """What to say of a file that only has the name of a published one."""
  here = ' + '.join(str(counts.get(split, 0)) for split in _WORDS)
  there = ' + '.join(map(str, _PUBLISHED[name].counts))
  return (
    f'{file.name} is not a published file of {name} (its MD5 is another):'
    f' {here} training, validation and test images, published {there}.'
  )
