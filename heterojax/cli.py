"""What every entry point shares: flags, configs, signals and exit codes."""

from collections.abc import Callable, Iterator, Sequence
import importlib
import io
import pathlib
import re
import shlex
import sys
import traceback
from typing import Any

from absl import flags
from ml_collections import config_dict
from ml_collections import config_flags

from heterojax import addresses
from heterojax.errors import HeterojaxError
from heterojax.errors import Interrupted
from heterojax.errors import UnexpectedError
from heterojax.errors import UserError
from heterojax.errors import nearest_field
from heterojax.run import interruption
from heterojax.run import run_folder

_CONFIGS = 'heterojax.configs'
_CONFIG = ('--config', '-config')
_DEBUG = re.compile('--?debug(=(true|t|1))?', re.IGNORECASE)
_LONGEST = 2000  # Characters of a sentence, whatever it quotes.
# What Python says of a flag's value, and what it means.
_PLAINLY = {
  r'invalid literal for int\(\) with base 10: .*': 'it is no whole number',
  r'could not convert string to float: .*': 'it is no number',
}


def _values(
  extra: Sequence[tuple], argv: Sequence[str], config: bool
) -> flags.FlagValues:
  """`--config` (a file, or the name of a shipped one) and an entry's flags."""
  values = flags.FlagValues()
  if config:
    config_flags.DEFINE_config_file(
      'config',
      None,
      'FILE.py or NAME, then arguments as in demo:control; fields are'
      ' overridden as --config.data.dir=DIR.',
      lock_config=True,
      flag_values=values,
      sys_argv=list(argv),  # Fields become flags where they are named in it.
    )
  for define, name, default, text in extra:
    define(name, default, text, flag_values=values)
  return values


def _parse(
  values: flags.FlagValues, argv: Sequence[str], about: str | None
) -> None:
  """Parses the command line.

  absl itself exits with 1 on a bad flag and shows a traceback for a missing
  config or an unknown field; here each is one sentence and exit code 2.

  Args:
    values: where the flags are defined and set.
    argv: the command line, with the program's name first.
    about: what --help says before it lists the flags.

  Raises:
    SystemExit: after --help.
    UserError: for anything that cannot be parsed.
  """
  if {'--help', '-h', '-help'} & set(argv):
    print(about)
    if 'config' in values:
      print(f'Configurations: {", ".join(_shipped_configs())}\n')
    print(values.get_help())
    raise SystemExit(0)
  try:
    rest = values(_shipped(argv) if 'config' in values else argv)
  except UserError:
    raise
  # Configs are Python: reading one may raise anything.
  except Exception as error:  # pylint: disable=broad-except
    said = _of_field(argv) if 'config' in values else ''
    said = said or f'{_of_parsing(error)} (see --help).'
    raise UserError(said) from error
  if rest[1:]:
    raise UserError(f'{rest[1]!r} is not a flag (see --help).')
  for name in values:
    given = values[name].value
    for value in given if isinstance(given, list) else [given]:
      if isinstance(value, str) and addresses.is_address(value):
        raise UserError(addresses.refusal(f'--{name}', value))
  if 'config' in values and values.config is None:
    raise UserError(
      'Say what to run with --config=NAME, where NAME is one of'
      f' {", ".join(_shipped_configs())} or a file.'
    )
  if 'config' in values and not isinstance(
    values.config, config_dict.ConfigDict
  ):
    raise UserError(
      'The file of --config must define get_config() that returns a'
      f' ConfigDict, not {type(values.config).__name__}.'
    )


def _shipped_configs() -> list[str]:
  """Names that `--config` takes without a path."""
  folder = pathlib.Path(_find_configs())
  names = (path.stem for path in folder.glob('*.py'))
  return sorted(name for name in names if name not in ('__init__', 'common'))


def _find_configs() -> str:
  return importlib.import_module(_CONFIGS).__path__[0]


def _shipped(argv: Sequence[str]) -> list[str]:
  """Turns `--config=NAME:arg` into the path of the shipped file."""
  argv = list(argv)
  for i, word in enumerate(argv):
    flag, equals, value = word.partition('=')
    if flag not in _CONFIG:
      continue
    if not equals:  # The value is the next word.
      if i + 1 == len(argv):
        raise UserError('--config needs a value (see --help).')
      argv[i : i + 2] = [f'--config={argv[i + 1]}', '']
      value = argv[i].partition('=')[2]
    name, colon, arg = value.partition(':')
    if not name.endswith('.py'):
      if name not in _shipped_configs():
        raise UserError(
          f'There is no configuration {name!r}: --config is a file or one of'
          f' {", ".join(_shipped_configs())}.'
        )
      argv[i] = f'--config={_find_configs()}/{name}.py{colon}{arg}'
    elif not pathlib.Path(name).is_file():
      raise UserError(f'There is no configuration file {name}.')
  return [word for word in argv if word]


def _config_first(argv: Sequence[str]) -> list[str]:
  """`--config` before its fields, which absl takes in no other order."""
  argv = list(argv)
  for i, word in enumerate(argv):
    flag, equals, _ = word.partition('=')
    if flag in _CONFIG:
      end = i + (1 if equals else 2)
      return argv[:1] + argv[i:end] + argv[1:i] + argv[end:]
  return argv


def _one_line(error: Exception) -> str:
  """What Python says, on one line."""
  text = str(error).strip() or type(error).__name__
  if 'Traceback (most recent call last)' in text:
    # ml_collections puts a whole traceback into its message; the last line is
    # what the code of a config said.
    text = text.splitlines()[-1].partition(': ')[2]
  return ' '.join(text.split()).rstrip('.')


def _of_field(argv: Sequence[str]) -> str:
  """What to say of the first field that the configuration lacks; '' if none."""
  words = _shipped(argv)
  alone = [w for w in words[1:] if w.partition('=')[0] in _CONFIG]
  alone = [words[0], *alone]
  try:
    values = _values((), alone, config=True)
    values(alone)
    known = [*_fields(values.config.to_dict())]
  # Then it is the configuration that cannot be read.
  except Exception:  # pylint: disable=broad-except
    return ''
  for word in words[1:]:
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
    hint = f': did you mean {near}?' if near else ', see configs/common.py'
    return (
      f'the configuration has no field {name!r}{inside}{hint} (see --help).'
    )
  return ''


def _fields(config: dict[str, Any], prefix: str = '') -> Iterator[str]:
  for name, value in config.items():
    if isinstance(value, dict):
      yield from _fields(value, f'{prefix}{name}.')
    else:
      yield f'{prefix}{name}'


def _of_parsing(error: Exception) -> str:
  """What is wrong with a flag, or with a field of the configuration."""
  text = _one_line(error)
  field = text.strip('"\'')
  if isinstance(error, (KeyError, AttributeError)) and field.isidentifier():
    return f'the configuration has no field {field!r}, see configs/common.py'
  for said, plainly in _PLAINLY.items():
    text = re.sub(said, plainly, text)
  return text


def run(
  extra: Sequence[tuple],
  body: Callable[[flags.FlagValues], int],
  argv: Sequence[str],
  *,
  about: str | None,
  config: bool = True,
) -> int:
  """Runs an entry point and turns what it raises into an exit code.

  Args:
    extra: its flags: (absl's define function, name, default, help).
    body: the work; returns 0, or 1 where a condition asked for failed.
    argv: the command line, with the program's name first.
    about: what --help says before it lists the flags.
    config: whether it also takes `--config`, and cannot do without.

  Returns:
    The exit code of the contract.
  """
  for stream in (sys.stdout, sys.stderr):
    # A terminal may not know the letters of a path.
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')
  run_folder.log_to_stderr()
  words = _config_first(argv) if config else argv
  values = _values(extra, words, config)
  try:
    with interruption.handled():
      _parse(values, words, about)
      return body(values)
  except BrokenPipeError:  # As in `--help | head`.
    return 0
  # Whatever it is, a user sees a sentence, and 1 only means --fail_if.
  except Exception as error:  # pylint: disable=broad-except
    # The flags may be what could not be read.
    if any(_DEBUG.fullmatch(word) for word in argv):
      traceback.print_exc()
    error = _for_the_user(error)
    print(f'heterojax: {sentence(error)}', file=sys.stderr)
    if isinstance(error, Interrupted):
      print(f'Resume with: {_command(argv)}', file=sys.stderr)
    return error.exit_code


def sentence(said: object) -> str:
  """What is said, on one line of limited length that is safe to print.

  Names of files, classes and columns come from outside, and a terminal obeys
  control characters.

  Args:
    said: an error, or a text.

  Returns:
    Printable characters.
  """
  text = ' '.join(str(said).splitlines())
  if len(text) > _LONGEST:
    text = f'{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}'
  return ''.join(
    c if c.isprintable() else c.encode('unicode_escape').decode() for c in text
  )


def _for_the_user(error: Exception) -> HeterojaxError:
  """The sentence and exit code of an exception."""
  if isinstance(error, HeterojaxError):
    return error
  text = _one_line(error)
  if isinstance(error, MemoryError) or 'RESOURCE_EXHAUSTED' in text:
    return UserError(
      'There is not enough memory: choose a smaller'
      ' --config.features.batch_size, --config.data.image_size, or the'
      ' argument feature=avg.'
    )
  if "can't start new thread" in text:
    return UserError(
      'No more threads can be started: raise the limit of this user or'
      ' container (ulimit -u), end other programs, or choose a smaller'
      ' --config.features.workers.'
    )
  if 'home directory' in text:  # As `pathlib` says it of ~somebody.
    return UserError(
      'A path begins with ~ and a name that this machine does not know: write'
      ' the path in full.'
    )
  if isinstance(error, OSError):  # A full disk, a folder without rights.
    if error.filename is not None:
      return UserError(
        f'{error.filename} cannot be used ({error.strerror}): mend that and'
        ' give the same command.'
      )
    return UserError(f'A file cannot be used: {error}.')
  return UnexpectedError(
    f'Something went wrong that should not ({type(error).__name__}: {text}):'
    ' please report it with what --debug prints.'
  )


def _command(argv: Sequence[str]) -> str:
  """The command line as it was typed, for a shell."""
  program = pathlib.Path(argv[0])
  first = [argv[0]]
  if program.suffix == '.py':  # Started by `python -m`.
    first = ['python', '-m', f'{program.parent.name}.{program.stem}']
  return shlex.join([*first, *argv[1:]])
