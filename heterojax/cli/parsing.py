"""From a command line to the values of flags; a mistake is one sentence.

absl itself exits with 1 on a bad flag and shows a traceback for a missing
config or an unknown field.
"""

from collections.abc import Iterator, Sequence
import re
from typing import Any

from absl import flags
from ml_collections import config_dict
from ml_collections import config_flags

from heterojax import addresses
from heterojax.cli import configurations
from heterojax.cli import texts
from heterojax.cli import words
from heterojax.errors import UserError
from heterojax.errors import nearest_field

_HELP = frozenset(('--help', '-h', '-help'))
_HELPFULL = frozenset(('--helpfull', '-helpfull'))
# What Python says of a flag's value, and what it means.
_PLAINLY = {
  r'invalid literal for int\(\) with base 10: .*': 'it is no whole number',
  r'could not convert string to float: .*': 'it is no number',
}


def parse(
  extra: Sequence[tuple],
  argv: Sequence[str],
  about: str | None,
  config: bool,
  bare: str,
) -> flags.FlagValues:
  """Parses the command line of an entry point.

  Args:
    extra: its flags: (absl's define function, name, default, help).
    argv: the command line, with the program's name first.
    about: what --help says before it lists the flags.
    config: whether it also takes `--config`, and cannot do without.
    bare: see `cli.run`.

  Returns:
    The values of the flags.

  Raises:
    SystemExit: after --help.
    UserError: for anything that cannot be parsed.
  """
  values = flags.FlagValues()
  for define, name, default, text in extra:
    define(name, default, text, flag_values=values)
  if (_HELP | _HELPFULL) & set(argv):
    _print_help(values, about, config, full=bool(_HELPFULL & set(argv)))
    raise SystemExit(0)
  argv = words.canonical(argv, values, config=config, bare=bare)
  if config:
    _check_is_named(argv)
    _define_config(values, argv)
  try:
    rest = values(argv)
  # Configs are Python: reading one may raise anything.
  except Exception as error:  # pylint: disable=broad-except
    said = _of_field(argv) if config else ''
    said = said or f'{_of_parsing(error)} (see --help).'
    raise UserError(said) from error
  if rest[1:]:
    raise UserError(f'{rest[1]!r} is not a flag (see --help).')
  _check_addresses(values)
  if config:
    _check_config(values)
  return values


def _print_help(
  values: flags.FlagValues, about: str | None, config: bool, *, full: bool
) -> None:
  print(about)
  if config:
    _define_config(values, [''])
    print(f'Configurations: {", ".join(configurations.names())}')
    print('Fields: ' + ('' if full else '--helpfull lists them'))
    print(texts.fields_text() if full else '')
  print(values.get_help())


def _define_config(values: flags.FlagValues, argv: Sequence[str]) -> None:
  config_flags.DEFINE_config_file(
    'config',
    None,
    'FILE.py or NAME, then arguments as in demo:control; fields are overridden'
    ' as --config.data.dir=DIR, or data.dir=DIR.',
    lock_config=True,
    flag_values=values,
    sys_argv=list(argv),  # Fields become flags where they are named in it.
  )


def _check_addresses(values: flags.FlagValues) -> None:
  for name in values:
    if name.startswith('config.'):  # See `checks`, which knows the fields.
      continue
    given = values[name].value
    for value in given if isinstance(given, list) else [given]:
      if isinstance(value, str) and addresses.is_address(value):
        raise UserError(addresses.refusal(f'--{name}', value))


def _check_is_named(argv: Sequence[str]) -> None:
  if not any(word.startswith('--config=') for word in argv):
    raise UserError(
      'Say what to run with --config=NAME, or give the folder or file of your'
      f' data; NAME is one of {", ".join(configurations.names())} or a file.'
    )


def _check_config(values: flags.FlagValues) -> None:
  if not isinstance(values.config, config_dict.ConfigDict):
    raise UserError(
      'The file of --config must define get_config() that returns a'
      f' ConfigDict, not {type(values.config).__name__}.'
    )


def one_line(error: Exception) -> str:
  """What Python says, on one line."""
  text = str(error).strip() or type(error).__name__
  if 'Traceback (most recent call last)' in text:
    # ml_collections puts a whole traceback into its message; the last line is
    # what the code of a config said.
    text = text.splitlines()[-1].partition(': ')[2]
  return ' '.join(text.split()).rstrip('.')


def _of_field(argv: Sequence[str]) -> str:
  """What to say of the first field that the configuration lacks; '' if none."""
  alone = [argv[0], *(w for w in argv[1:] if w.startswith('--config='))]
  values = flags.FlagValues()
  _define_config(values, alone)
  try:
    values(alone)
    known = [*_fields(values.config.to_dict())]
  # Then it is the configuration that cannot be read.
  except Exception:  # pylint: disable=broad-except
    return ''
  for word in argv[1:]:
    flag, _, path = word.partition('=')[0].lstrip('-').partition('.')
    if flag != 'config' or not path or path in known:
      continue
    if any(field.startswith(f'{path}.') for field in known):
      field = next(f for f in known if f.startswith(f'{path}.'))
      return (
        f'--config.{path} is a section: give its fields, as --config.{field}'
        ' (see --help).'
      )
    section, _, name = path.rpartition('.')
    inside = f' in {section!r}' if section else ''
    near = nearest_field(path, known)
    hint = f': did you mean {near}? (see' if near else ' (see'
    return f'the configuration has no field {name!r}{inside}{hint} --helpfull).'
  return ''


def _fields(config: dict[str, Any], prefix: str = '') -> Iterator[str]:
  for name, value in config.items():
    if isinstance(value, dict):
      yield from _fields(value, f'{prefix}{name}.')
    else:
      yield f'{prefix}{name}'


def _of_parsing(error: Exception) -> str:
  """What is wrong with a flag, or with a field of the configuration."""
  text = one_line(error)
  field = text.strip('"\'')
  if isinstance(error, (KeyError, AttributeError)) and field.isidentifier():
    return f'the configuration has no field {field!r}: --helpfull lists them'
  for said, plainly in _PLAINLY.items():
    text = re.sub(said, plainly, text)
  return text
