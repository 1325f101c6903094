"""What every entry point shares: flags, configs, signals and exit codes."""

import atexit
from collections.abc import Callable, Sequence
import gc
import io
import logging
import pathlib
import re
import shlex
import sys
import traceback

from absl import flags

from heterojax import addresses
from heterojax import errors
from heterojax.cli import parsing
from heterojax.errors import HeterojaxError
from heterojax.errors import Interrupted
from heterojax.errors import UnexpectedError
from heterojax.errors import UserError
from heterojax.run import interruption
from heterojax.run import logs

_DEBUG = re.compile('--?debug(=(true|t|1))?', re.IGNORECASE)
_LONGEST = 2000  # Characters of a sentence, whatever it quotes.
# New objects after which Python looks for cycles among them.
_YOUNG = 100_000


def run(
  extra: Sequence[tuple],
  body: Callable[[flags.FlagValues], int],
  argv: Sequence[str],
  *,
  about: str | None,
  config: bool = True,
  bare: str = '',
) -> int:
  """Runs an entry point and turns what it raises into an exit code.

  Args:
    extra: its flags: (absl's define function, name, default, help).
    body: the work; returns 0, or 1 where a condition asked for failed.
    argv: the command line, with the program's name first.
    about: what --help says before it lists the flags.
    config: whether it also takes `--config`, and cannot do without.
    bare: the flag that words without a flag are the values of, where it takes
      no `--config`.

  Returns:
    The exit code of the contract.
  """
  for stream in (sys.stdout, sys.stderr):
    # A terminal may not know the letters of a path.
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')
  logs.to_stderr()
  _collect_rarely()
  try:
    with interruption.handled():
      return body(parsing.parse(extra, argv, about, config, bare))
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
      again = errors.printable(command(argv))
      print(f'Resume with: {again}', file=sys.stderr)
    return error.exit_code


def _collect_rarely() -> None:
  """Lets Python look for cycles of objects rarely, and not at the end.

  Modules and programs stay as long as the command runs: looking through them
  again and again took as long as a quarter of the imports, and a second once
  all was done.
  """
  gc.set_threshold(_YOUNG)
  atexit.unregister(gc.freeze)  # In tests there are several commands.
  atexit.register(gc.freeze)


def say(said: str) -> None:
  """A line of progress, as those of the library."""
  logging.getLogger('heterojax').info('%s', sentence(said))


def sentence(said: object) -> str:
  """What is said, on one line of limited length that is safe to print."""
  text = ' '.join(str(said).splitlines())
  if len(text) > _LONGEST:
    text = f'{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}'
  return errors.printable(text)


def _for_the_user(error: Exception) -> HeterojaxError:
  """The sentence and exit code of an exception."""
  if isinstance(error, HeterojaxError):
    return error
  text = parsing.one_line(error)
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
    # Of a copy, what is written.
    name = error.filename2 or error.filename
    if name is not None:
      return UserError(
        f'{name} cannot be used ({error.strerror}): mend that and'
        ' give the same command.'
      )
    if isinstance(error, FileNotFoundError):  # Of `os.getcwd`.
      return UserError(
        'The folder that this command was given in is gone: give it in another.'
      )
    return UserError(f'A file cannot be used: {error}.')
  return UnexpectedError(
    f'Something went wrong that should not ({type(error).__name__}: {text}):'
    ' please report it with what --debug prints.'
  )


def program(path: str) -> str:
  """How a shell starts what is at a path: as it stands, or by `python -m`."""
  module = pathlib.Path(path)
  if module.suffix == '.py':
    return f'python -m {module.parent.name}.{module.stem}'
  return shlex.quote(path)


def command(argv: Sequence[str]) -> str:
  """The command line as it was typed, for a shell; with its command, if any."""
  first = program(argv[0]) if argv[0].endswith('.py') else argv[0]
  return f'{first} {shlex.join(argv[1:])}'


def told(argv: Sequence[str]) -> str:
  """`command` for others: of folders of this machine only the last name."""
  words = map(addresses.told, argv[1:])
  return re.sub(r'^\S*/', '', command([argv[0], *words]))
