"""The words of a command line as absl takes them.

`data.dir=X` and `--data.dir=X` are `--config.data.dir=X`; a word without a flag
is a configuration, or the data, or else the value of an entry's own flag.
"""

from collections.abc import Collection, Iterator, Sequence
import csv
import difflib
import glob
import io
import itertools
import os
import pathlib
import re

from absl import flags

from heterojax import addresses
from heterojax.cli import commands
from heterojax.cli import configurations
from heterojax.errors import UserError
from heterojax.errors import nearest_field
from heterojax.run import run_folder
from heterojax.studies.checks import FIELDS

_CONFIG = 'config'
_NAME = re.compile(r'[A-Za-z_][\w.]*')  # Of a flag or field.
# What absl knows beside the flags that are defined.
_OF_ABSL = ('flagfile', 'undefok')


def canonical(
  argv: Sequence[str], values: flags.FlagValues, *, config: bool, bare: str
) -> list[str]:
  """Flags alone, `--config` first, since absl takes its fields after it.

  Args:
    argv: the command line, with the program's name first.
    values: flags of the entry, but for `--config`.
    config: whether it takes a configuration.
    bare: see `cli.run`.

  Returns:
    The program's name and flags.

  Raises:
    UserError: for a flag that there is not, and a word that means nothing.
  """
  program, *rest = argv
  own: dict[str, list[str]] = {}
  for flag, word in _parts(rest, values, config):
    own.setdefault(flag, []).append(word)
  alone = own.pop('', [])
  if alone and not config and (not bare or bare in own):
    raise UserError(f'{alone[0]!r} is not a flag (see --help).')
  if config:
    first = _of_alone(alone, own)
  else:
    first = [f'--{bare}={_joined(alone)}'] if alone else []
  first = own.pop(_CONFIG, []) + first
  named = [word for word in first if word.startswith(f'--{_CONFIG}=')]
  if config and len(named) > 1:
    raise UserError(f'{" and ".join(named)} are two configurations: give one.')
  return [program, *first, *itertools.chain.from_iterable(own.values())]


def _joined(words: Sequence[str]) -> str:
  """Words as the values of one flag; several as a line of CSV."""
  if len(words) == 1:
    return words[0]
  line = io.StringIO()
  csv.writer(line).writerow(words)
  return line.getvalue().removesuffix('\r\n')


def _parts(
  words: Sequence[str], values: flags.FlagValues, config: bool
) -> Iterator[tuple[str, str]]:
  """Flag, or '', and word of each part; a value is joined to its flag."""
  rest = iter(words)
  for word in rest:
    flag, equals, value = word.partition('=')
    name = flag.lstrip('-')
    if not flag.startswith('-') and not (
      config and equals and _NAME.fullmatch(name) and not os.path.exists(word)
    ):
      yield '', word
      continue
    name = _known(name, values, config)
    if not equals and _takes_value(name, values):
      if (value := next(rest, None)) is None:
        raise UserError(f'--{name} needs a value (see --help).')
      equals = '='
    if name == _CONFIG and config:
      value = configurations.file(value)
    yield name, f'--{name}{equals}{value}'


def _known(name: str, values: flags.FlagValues, config: bool) -> str:
  """The whole name of a flag or field."""
  if config and (name == _CONFIG or name.startswith(f'{_CONFIG}.')):
    return name
  if name in values or name.removeprefix('no') in values or name in _OF_ABSL:
    return name
  if config and (name in FIELDS or '.' in name):
    return f'{_CONFIG}.{name}'
  known = [*values, _CONFIG, *FIELDS] if config else [*values]
  near = [*difflib.get_close_matches(name, known, 1)]
  near += filter(None, [nearest_field(name, [*FIELDS])] if config else ())
  hint = f': did you mean --{near[0]}?' if near else ''
  raise UserError(f'There is no flag --{name}{hint} (see --help).')


def _takes_value(name: str, values: flags.FlagValues) -> bool:
  """Whether the next word is its value, where it has none."""
  if name in values:
    return not values[name].boolean
  field = FIELDS.get(name.removeprefix(f'{_CONFIG}.'))
  return name == _CONFIG or field is not None and field.kind is not bool


def _of_alone(alone: Sequence[str], own: Collection[str]) -> list[str]:
  """`--config`, the first, and fields of words without a flag."""
  found = {}
  for word in alone:
    name, value = _meant(word)
    if name in found or name in own:
      raise UserError(
        f'{word!r} is the second value of --{name}: give one of them.'
      )
    found[name] = value
  if found and _CONFIG not in (*found, *own):
    found[_CONFIG] = configurations.file(_fitting(found))
  return [f'--{name}={value}' for name, value in sorted(found.items())]


def _meant(word: str) -> tuple[str, str]:
  """The flag of which a word is the value, and that."""
  if configurations.is_one(word):
    return _CONFIG, configurations.file(word)
  if addresses.stored(word):
    return f'{_CONFIG}.data.dir', word
  if run_folder.is_one(pathlib.Path(word)):
    raise UserError(
      f'{word} is the folder of a run and not of data: `heterojax open {word}`'
      ' shows its report, and the command in it goes on with the run.'
    )
  if os.path.exists(word):
    # What `..` is above a link is for the system to say.
    return f'{_CONFIG}.data.dir', str(pathlib.PurePath(word))
  if glob.has_magic(word):
    return f'{_CONFIG}.data.files', word
  known = [*commands.COMMANDS, *configurations.names()]
  near = difflib.get_close_matches(word, known, 1)
  hint = f': did you mean {near[0]}?' if near else ''
  raise UserError(
    f'{word!r} is no command or configuration, and no file or folder of that'
    f' name exists{hint} (see --help).'
  )


def _fitting(found: dict[str, str]) -> str:
  if path := found.get(f'{_CONFIG}.data.dir'):
    return configurations.fitting(pathlib.Path(path))
  return 'features'
