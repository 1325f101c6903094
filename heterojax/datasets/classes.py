"""The classes of a study among the labels of a data set."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
import dataclasses
import pathlib
import re
from typing import NamedTuple
import unicodedata

from heterojax.datasets import meanings
from heterojax.datasets.manifest import Candidate
from heterojax.errors import UserError

# Labels that the user named, of two that of the disease first; '' where none
# was. `ALL` stands for every label as a class of its own.
Classes = tuple[str, ...]
ALL = ('all',)
# The fields of the configuration that name two of them, or any number.
OPTIONS, OPTION = ('positive', 'negative'), 'classes'
# All labels that the other class does not name.
REST = 'rest'
_OR = ' or '  # Between the labels of a merged class.
# The column with what a merged label was.
LABEL = 'label of the data'


class Merged(NamedTuple):
  """See `merge`.

  Attributes:
    named: the classes, by the names that they have from here on.
    of: class of each label that is merged; {} where none is.
    notes: what each merged class is made of, a sentence each.
  """

  named: Classes
  of: Mapping[str, str] = {}
  notes: tuple[str, ...] = ()

  @property
  def label_columns(self) -> tuple[str, ...]:
    """The columns that tell the class: that of the labels as they were."""
    return (LABEL,) if self.of else ()

  def name(self, label: str) -> str:
    """The name of the class that a label is of."""
    return self.of.get(label, label)

  def labelled(self, c: Candidate) -> Candidate:
    """The candidate with the name of its class, and its label in a column."""
    if not self.of:
      return c
    columns = (*c.columns, (LABEL, c.label))
    return dataclasses.replace(c, label=self.name(c.label), columns=columns)


def options(named: Sequence[str]) -> Iterator[tuple[str, str]]:
  """Field of the configuration and label of each class."""
  fields = OPTIONS if len(named) == len(OPTIONS) else (OPTION,) * len(named)
  return zip(fields, named, strict=True)


def choose(
  path: pathlib.Path, labels: Iterable[str], named: Classes
) -> Classes:
  """Completes the class names that the user gave.

  Nothing is guessed from a label itself: in a 0/1 column either number may be
  the disease.

  Args:
    path: what messages call the data set.
    labels: those that occur; '' does not count.
    named: by the user; one is enough of two labels.

  Returns:
    The label of the disease and that of the other class, or all classes. Those
    that nobody named are in the order of their length, and of the alphabet.

  Raises:
    UserError: if that leaves a doubt, or there are no two classes.
  """
  labels = _ordered(set(labels) - {''})
  as_is = {composed(label): label for label in labels}
  named = tuple(as_is.get(composed(name), name) for name in named)
  shown = ', '.join(labels[:10]) + (', ...' if len(labels) > 10 else '')
  if not labels:
    raise UserError(f'{path} has no labels.')
  if named == ALL and len(labels) > 2:
    return tuple(labels)
  if named == ALL:
    two = [*labels, *labels][:2]
    raise UserError(
      f'{path} has {len(labels)} of the labels that --config.data.classes=all'
      f' needs three of: leave it out, and say which of {" and ".join(two)} is'
      ' the disease with --config.data.positive.'
    )
  for option, name in options(named):
    if name and name not in labels:
      raise UserError(
        f'{path} has no label {name!r} (--config.data.{option}): its labels'
        f' are {shown}.'
      )
  if all(named):
    return named
  if len(labels) < 2:
    raise UserError(
      f'All of {path} is of the class {labels[0]!r}: a study needs two classes.'
    )
  if len(labels) == 2 and any(named):
    (one,) = filter(None, named)
    other = labels[1 - labels.index(one)]
    return tuple(name or other for name in named)
  every = ''
  if len(labels) > 2:
    every = f', or make each a class with --config.data.{OPTION}=all'
  raise UserError(
    f'{path} has the labels {shown}: say which is the disease and which is'
    f' not with --config.data.positive=NAME and --config.data.negative=NAME'
    f'{every}.'
  )


def merge(
  path: pathlib.Path,
  labels: Iterable[str],
  named: Classes,
  incomplete: bool = False,
) -> Merged:
  """Gives labels that are one class a common name.

  `2|3|4` are the labels 2, 3 and 4, and `rest` all that the other class does
  not name. A label that is written so itself is meant first.

  Args:
    path: what messages call the data set.
    labels: of every image; '' does not count.
    named: by the user.
    incomplete: whether a class may lack some of its labels, see `Choices`.

  Returns:
    The classes, and which labels are which.

  Raises:
    UserError: for a label that does not occur or is of both classes, two rests,
      or a rest without labels.
  """
  counts = Counter(filter(None, labels))
  labels = set(counts)
  if named == ALL:
    return Merged(named)
  parts = [_parts(name, labels) for name in named]
  notes = list(_literal(path, named, labels))
  if all(part is not None and len(part) < 2 for part in parts):
    single = tuple(''.join(part or ()) for part in parts)
    return Merged(single, notes=tuple(notes))
  known = [label for part in parts if part for label in part]
  for (option, name), part in zip(options(named), parts, strict=True):
    some = incomplete and not labels.isdisjoint(part or ())
    for label in part or ():
      if label not in labels and not some:
        raise UserError(
          f'{path} has no label {label!r} (--config.data.{option}={name}): its'
          f' labels are {", ".join(_ordered(labels)[:10])}.'
        )
      if known.count(label) > 1:
        raise UserError(
          f'The label {label!r} is named twice in {fields(named)}: give it'
          ' once.'
        )
  # An image of both classes is of neither.
  both = (
    {}
    if None not in parts
    else {label: n for label, n in counts.items() if _has_one_of(label, known)}
  )
  rest = tuple(_ordered(labels - set(known) - both.keys()))
  if parts.count(None) > 1 or (None in parts and not (known and rest)):
    raise UserError(
      f'One class of {fields(named)} can be {REST}, beside others that leave'
      f' labels: {path} has {", ".join(_ordered(labels)[:10])}.'
    )
  of, names = {}, []
  for part in parts:
    own = rest if part is None else part
    name = REST if part is None else _OR.join(own)
    names.append(name)
    of |= {label: name for label in own if label in labels}
    if name in labels - set(own):
      raise UserError(
        f'{path} has a label {name!r}, which is what the class of'
        f' {", ".join(own)} would be called: name that label too, or rename it.'
      )
    if len(own) > 1 or part is None:
      there = [label for label in own if label in labels]
      notes.append(made_of(name, {label: counts[label] for label in there}))
  if both:
    each = ', '.join(f'{label!r} ({both[label]:,})' for label in _ordered(both))
    notes.append(f'Labels of both classes are left out: {each}.')
  return Merged(tuple(names), of, tuple(notes))


def made_of(name: str, counts: Mapping[str, int]) -> str:
  """A sentence on a class of several labels, with how often each occurs."""
  each = ', '.join(f'{label} ({n:,})' for label, n in counts.items())
  return f'The class {name!r} is made of the labels {each}.'


def fields(named: Classes) -> str:
  """The fields that name so many classes."""
  if len(named) == len(OPTIONS):
    return '--config.data.positive and --config.data.negative'
  return f'--config.data.{OPTION}'


def _has_one_of(label: str, known: Sequence[str]) -> bool:
  """Whether a label is of several, of which one is known."""
  parts = {part.strip() for part in re.split(r'\|| and ', label)}
  return len(parts) > 1 and label not in known and not parts.isdisjoint(known)


def _literal(
  path: pathlib.Path, named: Classes, labels: set[str]
) -> Iterator[str]:
  """A sentence on names that are a label, and could be several."""
  for option, name in options(named):
    parts = {*_split(name)}
    if len(parts) > 1 and name in labels and parts & labels:
      yield (
        f'--config.data.{option}={name} is the label of {path.name} that is'
        f' written so; {", ".join(_ordered(parts & labels))} are others.'
      )


def asked_for(
  named: Classes, labels: Collection[str] = frozenset()
) -> tuple[str, ...]:
  """The labels that are named, those of merged classes one by one.

  Args:
    named: by the user.
    labels: one that is written as several is meant first.
  """
  asked: list[str] = []
  for name in named:
    if name in labels:
      asked.append(name)
    elif name != REST and named != ALL:
      asked += [name, *_split(name)]
  return tuple(filter(None, dict.fromkeys(asked)))


def _parts(name: str, labels: set[str]) -> tuple[str, ...] | None:
  """The labels that a name stands for; None for the rest."""
  if not name:
    return ()
  if name in labels:
    return (name,)
  if name == REST:
    return None
  as_is = {composed(label): label for label in labels}
  parts = _split(name)
  if not parts:
    raise UserError(f'{name!r} names no label: give labels as 2|3|4.')
  spelled = [as_is.get(composed(part), part) for part in parts]
  # Tables of numbers say 2 for 2.0.
  return tuple(
    part if part in labels else meanings.whole(part) for part in spelled
  )


def merged_name(name: str) -> str:
  """What a class is called that is named so and merged."""
  return _OR.join(_split(name))


def is_merged(label: str, name: str, incomplete: bool = False) -> bool:
  """Whether a merged class is the one that is asked for, in whatever order.

  Args:
    label: of the class.
    name: as `2|3|4`.
    incomplete: whether some labels of the name are enough.
  """
  there, wanted = {*label.split(_OR)}, {*_split(name)}
  return len(wanted) > 1 and (
    there <= wanted if incomplete else there == wanted
  )


def _split(name: str) -> list[str]:
  """The labels of which a name is made, as `2|3|4` is."""
  return [part.strip() for part in name.split('|') if part.strip()]


def _ordered(labels: Iterable[str]) -> list[str]:
  return sorted(labels, key=lambda label: (len(label), label))


def require_different(named: Classes) -> None:
  """Raises a UserError where two classes are one."""
  twice = next((name for name in named if named.count(name) > 1), None)
  if twice is None:
    return
  if len(named) > 2:
    raise UserError(
      f'Two classes of --config.data.{OPTION} are {twice!r}: they must differ.'
    )
  raise UserError(
    f'Both classes are {twice!r}: --config.data.positive and'
    ' --config.data.negative must differ.'
  )


def composed(text: str) -> str:
  """Text in the composed form of Unicode; macOS decomposes names of files."""
  return unicodedata.normalize('NFC', text)


def key(label: str) -> str:
  """A label as labels are compared: some files spell No_Finding."""
  return composed(label).replace('_', ' ').casefold()


def of_either(c: Candidate, chosen: Classes) -> Candidate:
  """The candidate, left out where it is of none of the classes."""
  if c.included and c.label not in chosen:
    of = 'two classes' if len(chosen) == 2 else 'classes'
    return c.left_out(f'label {c.label!r} is not one of the {of}')
  return c
