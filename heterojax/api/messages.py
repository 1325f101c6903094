"""Sentences of the command line in the words of arguments."""

from collections.abc import Iterator
import contextlib
import re

from heterojax import errors
from heterojax.api import parameters
from heterojax.errors import HeterojaxError
from heterojax.studies.checks import FIELDS

_VALUE = r"(?:=('[^']*'|[^\s,;()]+?)(?=[.,;:()]*(?:\s|$)))?"
_FIELD = re.compile(rf'--config\.(\w+(?:\.\w+)*){_VALUE}')
_SECTIONS = sorted({path.partition('.')[0] for path in FIELDS if '.' in path})
_BARE = re.compile(
  rf'(?<![\w./-])((?:{"|".join(_SECTIONS)})\.\w+)(?!\w*[./]\w){_VALUE}'
)
_FLAG = re.compile(r'--(\w+)(?:=[^\s.,;:()]+)?')
# Flags whose argument is written or called otherwise.
_ARGUMENTS = {
  'allow_mismatch': 'allow_mismatch=True',
  'download': 'download=True',
  'workdirs': 'runs',
}
# What has no other form in Python, and what stands there.
_PHRASES = (
  (r' \(--config=\w+\)', ''),
  (r',? or (?:--config)?\.(?:data\.)?files\b', ''),
  (r' \(or \.files\)', ''),
  (r'use --config=\S+, or --config\.data\.dir', 'give X'),
  (r'see (heterojax )?--help(full)?', 'see docs/fields.md'),
  (r'the same flags', 'the same arguments'),
)


@contextlib.contextmanager
def of_arguments() -> Iterator[None]:
  """Whatever ends a study with a sentence speaks of arguments."""
  try:
    yield
  except HeterojaxError as error:
    # Whoever prints it does not know that names in it may steer a terminal.
    error.args = (errors.printable(translated(str(error))),)
    raise


def translated(sentence: str) -> str:
  """A sentence with arguments in the place of flags.

  Args:
    sentence: as '--config.data.positive=X' or '--workdir' stand in it.
  """
  for pattern, instead in _PHRASES:
    sentence = re.sub(pattern, instead, sentence)
  sentence = _FIELD.sub(_argument, sentence)
  sentence = _BARE.sub(
    lambda found: _argument(found) if found[1] in FIELDS else found[0], sentence
  )
  return _FLAG.sub(lambda found: _ARGUMENTS.get(found[1], found[1]), sentence)


def _argument(found: re.Match[str]) -> str:
  path, value = found[1], found[2]
  if path in ('data.dir', 'data.files'):
    return 'X'
  field = FIELDS.get(path)
  name = parameters.name(path)
  if not value:
    return name
  if field is not None and field.kind is str and value[0] != "'":
    value = repr(value)
  return f'{name}={value}'
