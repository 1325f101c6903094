"""What is known of a field beside its value: meaning, choices and limits."""

from collections.abc import Iterator
import dataclasses
from typing import Any, Literal, NamedTuple, get_args, get_origin


class Field(NamedTuple):
  """One field of a configuration.

  Attributes:
    name: its path, as data.dir.
    kind: its type: bool, float, int, str or tuple.
    default: its value where a configuration sets no other.
    choices: what it may be; empty where that is open.
    meaning: one sentence, or less where the name says the rest.
    least: the smallest number that it may be.
    also: a pattern of what it may be beside the choices, and its words.
    path: whether it names a file or folder, of this machine or of a store.
  """

  name: str
  kind: type
  default: Any
  choices: tuple[str, ...]
  meaning: str
  least: int | None
  also: tuple[str, str] | None
  path: bool

  @property
  def default_text(self) -> str:
    """The default as one writes it in a command."""
    return str(self.default) if self.default != '' else "''"


def field(
  default: Any,
  meaning: str,
  *,
  choices: tuple[str, ...] = (),
  least: int | None = None,
  also: tuple[str, str] | None = None,
  path: bool = False,
) -> Any:
  """Declares a field of a section, see `Field`.

  Choices are told by a type that is a `Literal`.
  """
  known = {
    'choices': choices,
    'meaning': meaning,
    'least': least,
    'also': also,
    'path': path,
  }
  return dataclasses.field(default=default, metadata=known)


def sections(settings: type) -> dict[str, type]:
  """Name of each section to its fields."""
  return {
    f.name: f.type
    for f in dataclasses.fields(settings)
    if isinstance(f.type, type) and dataclasses.is_dataclass(f.type)
  }


def every(settings: type, prefix: str = '') -> Iterator[Field]:
  """All fields: those of no section, and then section by section."""
  inside = sections(settings)
  for own in dataclasses.fields(settings):
    if own.name not in inside:
      yield _known(own, prefix)
  for name, kind in inside.items():
    yield from every(kind, f'{prefix}{name}.')


def _known(own: dataclasses.Field, prefix: str) -> Field:
  known = dict(own.metadata)
  kind: Any = get_origin(own.type) or own.type
  if kind is Literal:
    kind, known['choices'] = str, get_args(own.type)
  return Field(f'{prefix}{own.name}', kind, own.default, **known)
