"""TensorFlow Datasets builders for every data set of images; no TensorFlow.

A builder turns what a reader found into array_record files: each image as the
bytes of the publisher's file, and the whole manifest beside them.

  builder = Odir5k(data_dir=OUT, config=Classes('glaucoma', 'normal fundus'))
  builder.download_and_prepare(
      download_config=tfds.download.DownloadConfig(manual_dir=DOWNLOAD))
  builder.as_data_source('train')[0]['image']

gives decoded images to anyone; `prepare` is what the program itself calls.

They are built shard by shard: the more usual GeneratorBasedBuilder sorts more
than 1 GiB through temporary files that only TensorFlow can write. Importing
this module imports TensorFlow Datasets, which takes a second.
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import functools
import hashlib
import io
import json
import pathlib
import re
import shutil
import tempfile
from typing import Any

from absl import logging as absl_logging
import numpy as np
import tensorflow_datasets as tfds

from heterojax.datasets import bone_age
from heterojax.datasets import classes
from heterojax.datasets import folder
from heterojax.datasets import images
from heterojax.datasets import medmnist
from heterojax.datasets import nih
from heterojax.datasets import odir
from heterojax.datasets import prepared
from heterojax.datasets.choices import NO_CHOICES
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import Files
from heterojax.datasets.sources import ImageSource
from heterojax.errors import UserError
from heterojax.run import apart
from heterojax.run import links
from heterojax.run import run_folder
from heterojax.run.progress import Progress

_VERSION = '1.0.0'
# A shard's encoded images are in memory while it is written.
_SHARD_BYTES = 64 << 20


class Classes(tfds.core.BuilderConfig):
  """The classes of a data set; `name` is the folder's, made from them.

  Attributes:
    labels: of the classes, of two that of the disease first.
  """

  def __init__(self, *labels: str):
    words = ' vs '.join(labels).lower()
    # Two pairs may differ in what the name of a folder cannot show.
    digest = hashlib.blake2b('\n'.join(labels).encode(), digest_size=4)
    name = re.sub(r'[^a-z0-9]+', '_', words)[:60]
    super().__init__(f'{name}-{digest.hexdigest()}')
    self.labels = labels


class Photograph(tfds.features.Image):
  """An image that is decoded as the studies do.

  TFDS itself takes 16 bits modulo 256 and a palette's numbers for colours.
  """

  def decode_example_np(self, example: bytes) -> np.ndarray:
    """`[H, W, 3]` uint8."""
    return np.rint(images.decode(example)).astype(np.uint8)


class _Info(tfds.core.DatasetInfo):
  """Information that is not looked for in the network."""

  def initialize_from_bucket(self) -> None:
    pass


class CohortBuilder(tfds.core.ShardBasedBuilder, skip_registration=True):
  """What all builders share; a subclass names its reader and its download.

  The TFDS splits are the publisher's, or all is 'train'. Their order is that of
  the manifest.
  """

  VERSION = tfds.core.Version(_VERSION)
  READ: Callable[[pathlib.Path, classes.Classes], Cohort]
  CLASSES: Classes | None = None  # By default.

  def __init__(
    self,
    *,
    config: Classes | None = None,
    cohort: Cohort | None = None,
    file_format: str = 'array_record',
    **kwargs: Any,
  ):
    """See `tfds.core.DatasetBuilder`.

    Args:
      config: the classes.
      cohort: what was read already; else `manual_dir` is.
      file_format: one that does without TensorFlow.
      **kwargs: as `data_dir`.

    Raises:
      UserError: if the classes are needed, or are one.
    """
    config = config or self.CLASSES
    if not (config and len(config.labels) > 1 and all(config.labels)):
      raise UserError(
        f'{self.name} needs its classes: give'
        " config=Classes('DISEASE', 'OTHER')."
      )
    classes.require_different(config.labels)
    self._labels, self._cohort = config.labels, cohort
    super().__init__(config=config, file_format=file_format, **kwargs)

  def _info(self) -> tfds.core.DatasetInfo:
    # By their codes.
    labels = [*reversed(self._labels)]
    text = tfds.features.Text
    return _Info(
      builder=self,
      description=type(self).__doc__,
      features=tfds.features.FeaturesDict({
        'image': Photograph(),
        'label': tfds.features.ClassLabel(names=labels),
        'id': text(),
        'path': text(),
        'group': text(),
        'split': text(),
        'columns': text(doc="JSON of the data set's own columns"),
      }),
      supervised_keys=('image', 'label'),
      metadata=tfds.core.MetadataDict(),
    )

  def _download_and_prepare(
    self, dl_manager: tfds.download.DownloadManager, download_config: Any
  ) -> None:
    cohort = self._cohort or self._read(dl_manager)
    self._candidates, self._source = cohort.included, _images_of(cohort)
    count = len(cohort.included)
    self._records: dict[str, list[str]] = {}
    self._unreadable: dict[str, tuple[bool, str]] = {}
    with Progress('preparing', count, 'images') as self._progress:
      super()._download_and_prepare(dl_manager, download_config)
    if not any(self._records.values()):
      problems = sorted({problem for _, problem in self._unreadable.values()})
      raise UserError(
        f'None of the {count} images of {cohort.source.name} can be read'
        f' ({", ".join(problems)}).'
      )
    metadata: Any = self.info.metadata
    metadata.update(prepared.written(cohort, self._records, self._unreadable))

  def _read(self, dl_manager: tfds.download.DownloadManager) -> Cohort:
    try:
      path = pathlib.Path(dl_manager.manual_dir)
    except AssertionError as error:
      raise UserError(
        f'{self.name} needs a manual_dir, which is not there or empty:'
        f' {self.MANUAL_DOWNLOAD_INSTRUCTIONS}'
      ) from error
    return type(self).READ(path, self._labels)

  def _shard_iterators_per_split(
    self, dl_manager: tfds.download.DownloadManager
  ) -> dict[str, list[Callable[[], Iterator[tuple[str, dict[str, Any]]]]]]:
    del dl_manager  # Everything is in the cohort.
    splits: dict[str, list[Candidate]] = {}
    for c in self._candidates:
      splits.setdefault(c.split or 'train', []).append(c)
    return {
      split: [
        functools.partial(self._examples, split, shard)
        for shard in _shards(self._source, candidates)
      ]
      for split, candidates in splits.items()
    }

  def _examples(
    self, split: str, shard: Sequence[Candidate]
  ) -> Iterator[tuple[str, dict[str, Any]]]:
    """Records of a shard; what cannot be read is noted instead."""
    source = self._source
    for c in shard:
      self._progress.update(1)
      try:
        data = source.read(c.path)
      except images.UnreadableImage as error:
        self._unreadable[c.path] = (source.exists(c.path), str(error))
        continue
      self._records.setdefault(split, []).append(c.id)
      yield (
        c.id,
        {
          'image': data,
          'label': c.label,
          'id': c.id,
          'path': c.path,
          'group': c.group,
          'split': c.split,
          'columns': json.dumps(dict(c.columns), ensure_ascii=False),
        },
      )


class Odir5k(CohortBuilder):
  """ODIR-5K fundus photographs, Kaggle's ocular-disease-recognition-odir5k."""

  name = 'odir5k'
  READ = staticmethod(odir.read)
  CLASSES = Classes('cataract', 'normal fundus')
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'give the unpacked download of'
    ' andrewmvd/ocular-disease-recognition-odir5k from Kaggle, with'
    ' full_df.csv in it.'
  )


class NihCxr(CohortBuilder):
  """NIH chest X-rays, Kaggle's sample or the whole ChestX-ray14."""

  name = 'nih_cxr'
  READ = staticmethod(nih.read)
  CLASSES = Classes('Cardiomegaly', 'No Finding')
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'give the unpacked download of nih-chest-xrays/sample or'
    ' nih-chest-xrays/data from Kaggle, with sample_labels.csv or'
    ' Data_Entry_2017.csv in it.'
  )


class RsnaBoneAge(CohortBuilder):
  """RSNA Pediatric Bone Age; the column `boneage` is in months."""

  name = 'bone_age'
  READ = staticmethod(bone_age.read)
  CLASSES = Classes('male', 'female')
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'give the unpacked download of kmader/rsna-bone-age from Kaggle, with'
    ' boneage-training-dataset.csv in it.'
  )


class ImageFolder(CohortBuilder):
  """Any images: a folder per class."""

  name = 'folder'  # TFDS has an image_folder already.
  READ = staticmethod(folder.read)
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'give a folder with one folder of images per class.'
  )


class MedMnist(CohortBuilder):
  """A 2-D set of MedMNIST."""

  name = 'medmnist'
  READ = staticmethod(medmnist.read)
  MANUAL_DOWNLOAD_INSTRUCTIONS = (
    'give a folder with one .npz file from medmnist.com in it.'
  )


BUILDERS = {
  builder.name: builder
  for builder in (Odir5k, NihCxr, RsnaBoneAge, ImageFolder, MedMnist)
}


def prepare(
  dataset: str,
  path: pathlib.Path,
  named: classes.Classes,
  out: pathlib.Path,
  choices: Choices = NO_CHOICES,
) -> pathlib.Path:
  """Writes all candidates of the classes, unless that was done before.

  What an interrupted call left is removed, and the work begins anew.

  Args:
    dataset: one of `BUILDERS`.
    path: folder or file of the download.
    named: see `classes.Classes`; '' where the reader knows it.
    out: folder for prepared data sets.
    choices: of the reader of folders and tables.

  Returns:
    The folder of the data set in `out`.

  Raises:
    RefusedError: if another process prepares data there.
    UserError: as the reader, or if the same classes were prepared there from
      other data, a link leads there, or the data themselves are there.
  """
  if dataset not in BUILDERS:
    raise UserError(
      f'There is nothing to prepare for {dataset!r}: only images of'
      f' {", ".join(BUILDERS)} are (--config.data.dataset).'
    )
  apart.check(out, 'out', (str(path),))
  builder_class = BUILDERS[dataset]
  more = {'choices': choices} if dataset == 'folder' else {}
  cohort = builder_class.READ(path, named, **more)
  config = Classes(*cohort.classes)
  target = out / dataset / config.name / _VERSION
  with run_folder.locked(out, 'folder of prepared data', 'out'):
    links.refuse_between(out, target)
    if target.exists():
      # Notes tell of this folder, too, where it lies among the data.
      known = dataclasses.replace(prepared.load(target), notes=cohort.notes)
      if not (prepared.same(known, cohort) and _are_same_images(known, cohort)):
        raise UserError(
          f'{target} was prepared from other data than {path}: delete it, or'
          ' choose another --out.'
        )
      return target
    # The lock says that nobody is writing there.
    for leftover in target.parent.glob(f'{prepared.INCOMPLETE}*'):
      shutil.rmtree(leftover)
    with (
      _quiet(),
      contextlib.redirect_stdout(io.StringIO()),
      tempfile.TemporaryDirectory() as unused,
    ):
      builder = builder_class(data_dir=out, config=config, cohort=cohort)
      try:
        builder.download_and_prepare(download_dir=unused)
      # array_record raises a RuntimeError where the disk is full.
      except (OSError, RuntimeError) as error:
        said = ' '.join(str(error).split()).rstrip('.')
        raise UserError(
          f'{out} cannot be written ({said}): mend that and give the same'
          ' command.'
        ) from error
  return target


def _are_same_images(first: Cohort, second: Cohort) -> bool:
  """Whether all images of two equal cohorts have the same bytes, or none."""
  paths = dict.fromkeys(c.path for c in first.included)
  with Progress('compared', len(paths), 'images') as progress:
    for path in paths:
      if _bytes(first, path) != _bytes(second, path):
        return False
      progress.update(1)
  return True


def _bytes(cohort: Cohort, path: str) -> bytes | None:
  """An encoded image; None where it cannot be read."""
  try:
    return _images_of(cohort).read(path)
  except images.UnreadableImage:
    return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
  """TensorFlow Datasets would warn of what is meant here."""
  tfds.disable_progress_bar()
  verbosity = absl_logging.get_verbosity()
  absl_logging.set_verbosity(absl_logging.FATAL)
  try:
    yield
  finally:
    absl_logging.set_verbosity(verbosity)


def _images_of(cohort: Cohort) -> ImageSource:
  if not isinstance(cohort.source, ImageSource):
    raise UserError(f'{cohort.source.name} has no images to prepare.')
  return cohort.source


def _shards(
  source: ImageSource, candidates: Sequence[Candidate]
) -> list[list[Candidate]]:
  """Parts, in order, of about `_SHARD_BYTES` of images each."""
  shards: list[list[Candidate]] = []
  size = _SHARD_BYTES
  for c in candidates:
    if size >= _SHARD_BYTES:
      shards.append([])
      size = 0
    shards[-1].append(c)
    size += _size(source, c.path)
  return shards


def _size(source: ImageSource, path: str) -> int:
  try:
    if isinstance(source, Files):
      return (source.root / path).stat().st_size
    return len(source.read(path))
  except (OSError, ValueError, images.UnreadableImage):
    return 0  # Noted when its turn comes.
