"""The flags of features in shards, and the work that they ask for."""

from collections.abc import Iterable
import pathlib
import re
from typing import Any, NamedTuple

from absl import flags

from heterojax import cli
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.run import outputs

_ALL, _RAY = 'all', 'ray'
_NUMBER = '[0-9]{1,6}'  # Of a billion the list alone fills the memory.
FLAGS = (
  (flags.DEFINE_string, 'shard', None, 'Compute shard I of N: I/N, or all/N.'),
  (flags.DEFINE_string, 'workdir', None, 'Run folder that shards are for.'),
  (flags.DEFINE_string, 'on', None, 'Who computes shards: ray; else this.'),
  (flags.DEFINE_bool, 'allow_mismatch', False, 'Go on on another machine.'),
)


class Chosen(NamedTuple):
  """Shards to compute.

  Attributes:
    numbers: which.
    count: N, of all.
    folder: of the run; or of the unfinished file of features.
    alone: whether it is the latter.
    by_ray: whether Ray does it.
  """

  numbers: tuple[int, ...]
  count: int
  folder: pathlib.Path
  alone: bool
  by_ray: bool


def parse(text: str) -> tuple[tuple[int, ...], int]:
  """What `--shard` names: numbers from 0, and N.

  Args:
    text: as `0/4`, or `all/4`.

  Raises:
    UserError: if it names no shard.
  """
  match = re.fullmatch(rf'({_NUMBER}|{_ALL})/({_NUMBER})', text)
  if match:
    index, count = match[1], int(match[2])
    if index == _ALL and count:
      return tuple(range(count)), count
    if index != _ALL and int(index) < count:
      return (int(index),), count
  raise UserError(
    f'--shard={text} names no shard: of N shards, fewer than a million, give'
    ' one from 0/N to N-1/N, as --shard=0/4, or --shard=all/4.'
  )


def chosen(values: flags.FlagValues, read: Iterable[str]) -> Chosen | None:
  """What the flags ask for; None without `--shard`.

  Args:
    values: of `FLAGS` and `--out`.
    read: see `named`.

  Raises:
    UserError: if they do not go together.
  """
  if values.shard is None:
    for flag in ('workdir', 'on'):
      if values[flag].value is not None:
        raise UserError(
          f'--{flag} goes with --shard=I/N, the shard to compute (see --help).'
        )
    return None
  numbers, count = parse(values.shard)
  if values.on not in (None, _RAY):
    raise UserError(f'--on={values.on} is unknown: give --on={_RAY}, or none.')
  if (values.out is None) == (values.workdir is None):
    raise UserError(
      '--shard needs one of --workdir=RUN, the run folder of the study, and'
      ' --out=FILE.npz, the file that all shards become.'
    )
  if values.out is None:
    folder = outputs.local(values.workdir, 'workdir')
  else:
    folder = outputs.unfinished(named(values.out, read))
  by_ray = values.on == _RAY
  return Chosen(numbers, count, folder, values.out is not None, by_ray)


def named(out: str | None, read: Iterable[str]) -> pathlib.Path:
  """The file that `--out` names.

  Args:
    out: as given.
    read: see `outputs.file`.

  Raises:
    UserError: if it is no .npz file of this machine, or another's.
  """
  if out is None or not out.endswith('.npz'):
    raise UserError('Say where the features go with --out=FILE.npz.')
  return outputs.file(out, 'out', read)


def extract(
  config: dict[str, Any], asked: Chosen, *, download: bool, allow_mismatch: bool
) -> int:
  """Computes shards; the number of their images.

  Args:
    config: the resolved configuration.
    asked: which, and where.
    download: fetch weights that are missing.
    allow_mismatch: go on with shards of another environment.

  Raises:
    HeterojaxError: whatever ends it with a sentence.
  """
  cli.say(f'Shards go to {asked.folder} ...')
  variables.import_jax()  # Once nothing is mistyped.
  # pylint: disable=import-outside-toplevel
  from heterojax.studies import on_ray
  from heterojax.studies import sharding

  how = on_ray.extract if asked.by_ray else sharding.extract
  return how(
    asked.numbers,
    config,
    asked.folder,
    asked.count,
    alone=asked.alone,
    download=download,
    allow_mismatch=allow_mismatch,
  )
