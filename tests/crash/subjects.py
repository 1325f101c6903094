"""The commands that are killed, each in a folder of its own."""

import pathlib
import re
import shutil
from typing import NamedTuple

from faults import runs
import jax
import numpy as np
from PIL import Image
import safetensors.numpy
from toy_study import TOY
from toy_study.configuration import CONFIG

from crash import server
from crash import storage
from heterojax import backbones
from heterojax.backbones import layers
from heterojax.backbones.architecture import IMAGENET
from heterojax.backbones.architecture import Architecture
from heterojax.backbones.architecture import Network
from heterojax.backbones.architecture import Source
from heterojax.backbones.batch_norm import Norm
from heterojax.compute import variables
from heterojax.launch import compare
from heterojax.launch import features
from heterojax.launch import prepare
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.run import artifacts
from heterojax.run import contents
from heterojax.studies import registry

# As `atomic.write` names a file that is not whole yet.
_UNFINISHED = re.compile(r'\..+\.[0-9a-f]{16}')


class _Patches(Network):
  """The smallest network that can be trained: one convolution."""

  def __init__(
    self, *, padding: layers.Padding, norm: Norm | None, with_top: bool
  ):
    del norm, with_top
    self.stem = layers.Conv(3, 4, kernel_size=8, stride=8, padding=padding)

  def feature_map(self, x: jax.Array) -> jax.Array:
    """`[B, H / 8, W / 8, 4]`."""
    return jax.nn.relu(self.stem(x))


_PATCHES = Architecture(
  name='patches',
  title='Patches',
  build=_Patches,
  top=(),
  sources={'own': Source('torch', 'symmetric', None, *IMAGENET, {'stem': 'c'})},
)


class Subject(NamedTuple):
  """A command that is killed.

  Attributes:
    command: gives an exit code; its paths are relative to the current folder.
    result: names of the folder that it writes, which must be the same.
    first: makes what it needs, in the current folder.
  """

  command: server.Command
  result: str
  first: server.Command = lambda: 0


_CLASSES = ('--config.data.positive=yes', '--config.data.negative=no')
_SMALL = (
  '--config.data.dir=../data/features.npz',
  *_CLASSES,
  '--config.reduction.n_components=3',
  '--config.cluster.k=2',
  '--config.cluster.trainings=1',
  '--config.verdict.worlds=0',
)
RETRAINING = (
  '--config=features:tiny',
  *_SMALL,
  '--config.heads.random_runs=1',
)
SIZES = (
  '--config=features:tiny,study=sample_size',
  '--config.sizes=all',
  '--config.split.folds=2',
  *_SMALL,
)
_WHOLE = (
  '--config=bone_age:demo,tiny',
  '--config.sizes=all',
  '--config.data.num_images=48',
  '--config.data.image_size=32',
  '--config.split.folds=2',
  '--config.backbone.name=patches',
  '--config.backbone.weights=../data/patches.safetensors',
  '--config.backbone.train=full',
  '--config.fine_tuning.epochs=1',
  '--config.reduction.n_components=3',
  '--config.reduction.rejected=0',
  '--config.cluster.k=2',
  '--config.cluster.trainings=1',
)
TOY_STUDY = ('--config=../data/toy.py',)
_IMAGES = (
  '--config=folder',
  '--config.data.dir=../data/images',
  *_CLASSES,
  '--out=packed',
)
_FILE = '--out=made/features.npz'


def _study(*words: str, to: str = 'run') -> server.Command:
  return lambda: study.main(['study', *words, f'--workdir={to}'])


def _features(*words: str) -> server.Command:
  return lambda: features.main(['features', *TOY_STUDY, *words])


def _two_runs() -> int:
  code = _study(*RETRAINING, to='a')()
  shutil.copytree('a', 'b')
  return code


SUBJECTS = {
  'storage': Subject(storage.files, 'run'),
  'checkpoints': Subject(storage.checkpoints, storage.STATE.name),
  'toy study': Subject(_study(*TOY_STUDY), 'run'),
  'retraining': Subject(_study(*RETRAINING), 'run'),
  'sample size': Subject(_study(*SIZES), 'run'),
  'train=full': Subject(_study(*_WHOLE), 'run'),
  'prepare': Subject(lambda: prepare.main(['prepare', *_IMAGES]), 'packed'),
  'features': Subject(_features(_FILE), 'made'),
  'features --shard': Subject(_features('--workdir=run', '--shard=0/2'), 'run'),
  'features of shards': Subject(
    _features(_FILE), 'made', _features(_FILE, '--shard=all/2')
  ),
  'compare': Subject(
    lambda: compare.main(['compare', '--workdirs=a,b', '--out=compared']),
    'compared',
    _two_runs,
  ),
  'verify --rerun': Subject(
    lambda: verify.main(['verify', '--workdir=run', '--rerun=cluster']),
    'run',
    _study(*RETRAINING),
  ),
}


def ready(root: pathlib.Path) -> None:
  """Writes the data, and imports all that commands import late.

  Args:
    root: beside whose `data` the commands run.
  """
  data = root / 'data'
  (data / 'images').mkdir(parents=True)
  rng = np.random.default_rng(0)
  y = np.arange(60) % 2
  x = rng.normal(size=(60, 8)) + y[:, None]
  label = np.array(['no', 'yes'])[y]
  np.savez(data / 'features.npz', features=x.astype(np.float32), label=label)
  (data / 'toy.py').write_text(CONFIG)
  registry.STUDIES[TOY.name] = TOY
  backbones.ARCHITECTURES[_PATCHES.name] = _PATCHES
  kernel = rng.normal(size=(4, 3, 8, 8)).astype(np.float32)
  weights = {'c.weight': kernel, 'c.bias': np.zeros(4, np.float32)}
  safetensors.numpy.save_file(weights, data / 'patches.safetensors')
  for i in range(6):
    pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
    folder = data / 'images' / ('yes', 'no')[i % 2]
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / f'{i}.png')
  variables.import_jax()
  # pylint: disable=import-outside-toplevel
  from heterojax import rerun
  from heterojax.datasets import builders
  from heterojax.studies import extraction
  from heterojax.studies import running
  from heterojax.studies.answer import terminal

  dict(registry.STUDIES)
  del rerun, builders, extraction, running, terminal


def described(folder: pathlib.Path) -> dict[str, str]:
  """Digests of what a command gives, without its clock; see `faults.runs`.

  Args:
    folder: of a run, or of another command, in which a killed one may leave a
      file that is not whole.
  """
  if (folder / 'config.json').exists():
    return runs.described(folder)
  return {
    path.relative_to(folder).as_posix(): artifacts.fingerprint(path)['blake2b']
    for path in sorted(folder.rglob('*'))
    if path.is_file()
    and path.name != contents.LOCK
    and not _UNFINISHED.fullmatch(path.name)
  }


def problems(folder: pathlib.Path) -> list[str]:
  """What is wrong with the seal of a run, where a folder is one."""
  if not (folder / 'results.json').exists():
    return []
  return [str(problem) for problem in artifacts.problems(folder)]
