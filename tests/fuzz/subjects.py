"""What reads each kind of input."""

from collections.abc import Callable, Sequence
import contextlib
import functools
import io
import pathlib
import sys
from typing import Any, NamedTuple

import numpy as np

from fuzz import sound
from fuzz.harness import Input
from heterojax import backbones
from heterojax import cli
from heterojax import datasets
from heterojax.backbones import sources
from heterojax.backbones import weight_files
from heterojax.backbones.architecture import Source
from heterojax.datasets import images
from heterojax.datasets import manifest
from heterojax.datasets import pixels as pixels_lib
from heterojax.datasets import ready
from heterojax.datasets import selection
from heterojax.datasets import sizes
from heterojax.datasets import splits
from heterojax.datasets.choices import Choices
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.records import conditions
from heterojax.records import foretell
from heterojax.run import run_folder
from heterojax.studies import registry
from heterojax.studies.settings import Settings

_MIB = 1 << 20


class Subject(NamedTuple):
  """A reader.

  Attributes:
    read: takes the input's folder and its arguments.
    sound: inputs that it accepts.
    allowance: bytes that it may take beyond what sound inputs do.
  """

  read: Callable[..., None]
  sound: Callable[[], Sequence[Input]]
  allowance: int = 256 * _MIB


def _use(cohorts: Sequence[Cohort]) -> None:
  """Goes on as a study does, as far as the manifest."""
  for cohort in cohorts:
    for path in ('none', *(c.path for c in cohort.candidates[:4])):
      cohort.source.exists(path)
      cohort.source.inspect(path)
    texts = [cohort.name, *cohort.classes, *cohort.notes]
    for c in cohort.candidates:
      texts += [c.id, c.path, c.label, c.group, c.split, c.reason]
      texts += [text for pair in c.columns for text in pair]
    assert all(isinstance(text, str) for text in texts)
    ids = [c.id for c in cohort.candidates]
    assert len(set(ids)) == len(ids), 'ids that repeat'
    assert all(c.included == (not c.reason) for c in cohort.candidates)
    _check_manifest(cohort)
    chosen = selection.select(
      cohort,
      seed=0,
      balance=False,
      distinct=True,
      max_bad_share=1,
      workers=1,
    )
    parts = splits.assign(
      chosen,
      seed=0,
      protocol='clean',
      test_share=0.25,
      validation_share=0.25,
      folds=0,
    )
    _check_manifest(splits.by_fold(parts))


def _check_manifest(cohort: Cohort) -> None:
  """What is written must be text, and be read as it was."""
  text = ''.join(manifest.manifest_csv(cohort))
  text.encode()
  rows = manifest.parse_csv(text)
  assert [row['id'] for row in rows] == [c.id for c in cohort.candidates]
  assert [row['path'] for row in rows] == [c.path for c in cohort.candidates]


def read_cohort(
  folder: pathlib.Path,
  dataset: str,
  path: str = 'data',
  positive: str = '',
  negative: str = '',
  task: str = 'classification',
  where: str = '',
  named: Sequence[str] = (),
  **choices: Any,
) -> None:
  _use([
    datasets.read(
      dataset,
      folder / path,
      tuple(named) or (positive, negative),
      task=task,
      where=where,
      choices=Choices(**choices),
    )
  ])


def read_features(
  folder: pathlib.Path,
  pattern: str,
  positive: str = '',
  negative: str = '',
  task: str = 'classification',
  named: Sequence[str] = (),
  **choices: Any,
) -> None:
  more = tuple(named) or (positive, negative), task, Choices(**choices)
  if '*' in pattern:
    _use(ready.read_files(str(folder / pattern), *more))
  else:
    _use([ready.read(folder / pattern, *more)])


def read_image(
  folder: pathlib.Path,
  name: str = 'image',
  levels: pixels_lib.Range = 'window',
  how: images.Resize = 'keras',
  at_least: int = 0,
) -> None:
  try:
    pixels = images.decode(images.read(folder / name), levels, at_least)
  except images.UnreadableImage as error:
    raise UserError(str(error)) from error
  assert pixels.ndim == 3 and pixels.shape[2] == 3
  assert pixels.dtype in (np.uint8, np.float32)
  if pixels.size:
    assert pixels.min() >= 0 and pixels.max() <= 255
  images.pixel_digest(pixels)
  images.resize(pixels, 32, how)


def read_weights(folder: pathlib.Path, name: str = 'weights') -> None:
  file = weight_files.read(folder / name)
  assert file.entries
  for key, array in file.entries.items():
    assert isinstance(key, str) and array.dtype.kind in 'biuf'
    if array.nbytes < _MIB:  # Views may repeat few values any number of times.
      array.sum()
  for architecture in backbones.ARCHITECTURES.values():
    try:
      inside = sources.unwrapped(architecture, file, str(folder / name))
      sources.detect(architecture, inside, str(folder / name))
    except UserError as error:
      cli.sentence(error)
    for source in architecture.sources.values():
      if source.layout == file.layout:
        _check_preprocessing(source, file)


def _check_preprocessing(source: Source, file: weight_files.WeightFile) -> None:
  try:
    mean, std = sources.preprocessing(source, file)
    assert np.isfinite(mean).all() and (std > 0).all()
  except UserError as error:
    cli.sentence(error)


def parse_overrides(folder: pathlib.Path, words: Sequence[str]) -> None:
  """The command line of a study, up to where it would read data."""

  def body(values: Any) -> int:
    config = values.config.to_dict()
    settings = registry.settings(config)
    run_folder.to_json(config)
    run_folder.digest(config)
    if settings.sizes:
      sizes.parse(settings.sizes)
    conditions.of(values.fail_if)
    conditions.check(values.fail_if, _stand_ins(settings))
    return 0

  words = [word.replace('{folder}', str(folder)) for word in words]
  sys.modules.pop('config_config', None)  # A command reads but one file.
  _call(lambda: _command(body, words))


def _stand_ins(settings: Settings) -> dict[str, Any]:
  study = registry.get(settings.study)
  known = study.known(settings, None)
  if settings.study == 'sample_size':  # Of two sizes, as data may tell.
    known = known._replace(lengths=known.lengths | {'S': 2, 'T': (3, 2)})
  return foretell.foretell(study.results, known)


@functools.cache
def _flags() -> tuple:
  from heterojax.launch import study  # pylint: disable=import-outside-toplevel

  return study._FLAGS  # pylint: disable=protected-access


def _command(body: Callable[[Any], int], words: Sequence[str]) -> int:
  return cli.run(_flags(), body, ['study.py', *words], about='')


def _call(command: Callable[[], int]) -> None:
  """A whole command: 0, or 2 with one line."""
  said = io.StringIO()
  with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
    try:
      code = command()
    except SystemExit as error:  # After --help.
      assert error.code == 0
      return
  if code == 0:
    return
  lines = said.getvalue().splitlines()
  assert code == 2, f'exit code {code}: {said.getvalue()}'
  assert len(lines) == 1 and lines[0].startswith('heterojax: '), lines
  raise UserError(lines[0])


def build_settings(folder: pathlib.Path, changes: dict[str, Any]) -> None:
  """Values that a configuration file, which is Python, may hold."""
  del folder
  config = default_config()
  for path, value in changes.items():
    *sections, name = path.split('.')
    tree = config
    for section in sections:
      tree = tree[section]
    if value is ...:
      tree.pop(name, None)
    else:
      tree[name] = value
  registry.settings(config)


def default_config() -> dict[str, Any]:
  # pylint: disable-next=import-outside-toplevel
  from heterojax.configs import folder as config

  return config.get_config().to_dict()


RESULTS = {
  'study': 'retraining',
  'overall': {'accuracy': 0.9, 'auc': None, 'n': 200},
  'clusters': [{'size': 40, 'mix': {'a b': 1}}, {'size': 7}],
  'zero': 0,
}


def evaluate_condition(
  folder: pathlib.Path, text: str | None, study: str = 'retraining'
) -> None:
  holds = conditions.of(text)
  settings = registry.settings(default_config() | {'study': study})
  try:
    conditions.check(text, _stand_ins(settings))
  except UserError:
    # The check before a study refuses more.
    hold_condition(folder, text)
    raise
  holds(RESULTS)


def hold_condition(folder: pathlib.Path, text: str | None) -> None:
  del folder
  conditions.of(text)(RESULTS)


def compare_runs(folder: pathlib.Path, names: Sequence[str]) -> None:
  """The command that writes a comparison into its work folder."""
  # pylint: disable-next=import-outside-toplevel
  from heterojax.launch import compare

  folders = ','.join(str(folder / name) for name in names)
  words = [f'--workdirs={folders}', f'--out={folder}/work']
  _call(lambda: compare.main(['compare.py', *words]))


SUBJECTS = {
  'odir5k table': Subject(read_cohort, sound.odir),
  'nih_cxr table': Subject(read_cohort, sound.nih),
  'bone_age table': Subject(read_cohort, sound.bone_age),
  'folder table': Subject(
    read_cohort, lambda: (*sound.table(), sound.dicom_table())
  ),
  'folder tree': Subject(read_cohort, sound.tree),
  'features table': Subject(read_features, sound.features_csv),
  'features npz': Subject(read_features, sound.features_npz),
  'features parquet': Subject(read_features, sound.parquet),
  'medmnist npz': Subject(read_cohort, sound.medmnist),
  'prepared data': Subject(read_cohort, sound.prepared, 512 * _MIB),
  # Up to 89 million pixels of four bytes, and those as RGB.
  'image': Subject(
    read_image, lambda: sound.images() + sound.dicom(), 1536 * _MIB
  ),
  'dicom': Subject(read_image, sound.dicom, 1536 * _MIB),
  'weights': Subject(read_weights, sound.weights),
  'weights hdf5': Subject(read_weights, sound.hdf5),
  'command line': Subject(
    parse_overrides,
    lambda: (Input(args={'words': ['--config=folder', '--workdir=w']}),),
  ),
  'settings': Subject(build_settings, lambda: (Input(args={'changes': {}}),)),
  'fail_if': Subject(
    evaluate_condition,
    lambda: (Input(args={'text': 'overall.accuracy < 1'}),),
  ),
  'fail_if of results': Subject(
    hold_condition, lambda: (Input(args={'text': 'overall.n == 200'}),)
  ),
  'comparison': Subject(compare_runs, sound.runs),
}
