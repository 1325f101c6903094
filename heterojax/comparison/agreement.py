"""How often runs gave the same answer, and which of their settings differ."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
import json
import re
from typing import NamedTuple

from heterojax import addresses
from heterojax.comparison.runs import Run
from heterojax.differences import values
from heterojax.report import formatting


class Setting(NamedTuple):
  """A setting that is not the same in all runs.

  Attributes:
    name: dotted path of the field.
    runs: each value, as JSON without folders of a machine, to the names of
      its runs.
  """

  name: str
  runs: dict[str, list[str]]


def sentence(runs: Sequence[Run]) -> str:
  """How often the answer was the same, in one sentence."""
  counts = Counter(run.answer for run in runs if run.answer is not None)
  number, without = len(runs), sum(run.answer is None for run in runs)
  if not counts:
    return (
      'No run has an answer: it is that of classes, under the protocol clean.'
    )
  (first, most), *others = counts.most_common()
  answered = number - without
  if number == 1:
    return f'The answer is: {first}.'
  said = f'The answer was the same in {most} of {answered} runs'
  if answered == 1:
    said = 'One run has an answer'
  elif not others:
    said = f'The answer was the same in all {answered} runs'
  elif most == 1:
    said = f'The answer was another one in each of {answered} runs'
  each = [
    f'{answer} in {n}' if others else answer
    for answer, n in [(first, most), *others]
  ]
  rest = ''
  if without:
    rest = f' {formatting.counted(without, "run")} had no answer.'
  return f'{said}: {formatting.listed(each)}.{rest}'


def settings(runs: Sequence[Run]) -> list[Setting]:
  """Settings that differ among the runs that have kept theirs."""
  known = {
    run.name: values.flatten(run.config)
    for run in runs
    if run.config is not None
  }
  found = []
  for field in dict.fromkeys(f for leaves in known.values() for f in leaves):
    of: dict[str, list[str]] = {}
    for name, leaves in known.items():
      whole = json.dumps(leaves[field]) if field in leaves else 'absent'
      of.setdefault(whole, []).append(name)
    if len(of) > 1:
      shown = zip(_told(of), of.values(), strict=True)
      found.append(Setting(field, dict(shown)))
  return found


def _told(values: Iterable[str]) -> Iterator[str]:
  """Values without folders of a machine; those that look alike, numbered."""
  told = [
    re.sub('(?<=^").*', lambda m: addresses.told(m[0]), v) for v in values
  ]
  for number, value in enumerate(told, 1):
    yield value if told.count(value) == 1 else f'{value} ({number})'
