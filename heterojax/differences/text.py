"""A comparison of two runs in plain text."""

from collections.abc import Sequence

from heterojax import differences
from heterojax.differences import values
from heterojax.differences.values import Change
from heterojax.differences.values import Item

_MOST = 20  # Lines of one kind.
_LONGEST = 100  # Characters of a value.


def lines(compared: differences.Comparison) -> list[str]:
  """Counts first, then what is not identical, then what may explain it.

  Args:
    compared: of the two runs, called here and there.

  Returns:
    Lines without line ends.
  """
  shown = [_tolerance(compared.tolerance)]
  of_kind = {
    kind: [item for item in compared.items if item.kind == kind]
    for kind in differences.KINDS
  }
  shown += [
    f'{kind}: {_counts(items)}' for kind, items in of_kind.items() if items
  ]
  for kind, items in of_kind.items():
    other = [item for item in items if item.verdict != values.IDENTICAL]
    other.sort(key=lambda item: -values.VERDICTS.index(item.verdict))
    named = [
      f'{item.name} is {item.verdict} ({_short(item.detail)})' for item in other
    ]
    shown += _section(f'Not identical, {kind}', named)
  for title, changed in (
    ('Settings that differ', compared.settings),
    ('Environment that differs', compared.environment),
  ):
    named = [
      f'{c.name}: {_short(c.here)} here, {_short(c.there)} there'
      for c in changed
    ]
    shown += _section(title, named)
  return [*shown, explanation(compared)]


def explanation(compared: differences.Comparison) -> str:
  """What is promised of two such runs, and what may explain a difference."""
  if compared.identical:
    return 'All that was compared is identical to the bit.'
  sentences = []
  if compared.settings:
    sentences.append(
      f'The settings are not the same ({_names(compared.settings)}), which'
      ' may explain differences of any size.'
    )
  if compared.environment:
    sentences.append(
      'Only with the same versions, flags, CPU model and kind and number of'
      ' devices are results identical to the bit: here'
      f' {_names(compared.environment)} may explain small differences.'
    )
  return ' '.join(sentences) or (
    'Settings and environment are the same, so all should be identical to'
    ' the bit: look whether manifest.csv tells of other data, else please'
    ' report it.'
  )


def _tolerance(tolerance: float) -> str:
  sides = 'Here is --workdir, there is the other run;'
  if not tolerance:
    return f'{sides} compared to the bit.'
  return (
    f'{sides} compared with tolerance {tolerance:g}, relative to the larger'
    ' number or to 1, and of features to the largest value of their row.'
  )


def _counts(items: Sequence[Item]) -> str:
  verdicts = [item.verdict for item in items]
  return ', '.join(
    f'{verdicts.count(verdict)} {verdict}'
    for verdict in values.VERDICTS
    if verdict in verdicts
  )


def _section(title: str, named: Sequence[str]) -> list[str]:
  if not named:
    return []
  more = [f'  and {len(named) - _MOST} more'] if len(named) > _MOST else []
  return [f'{title}:', *(f'  {name}' for name in named[:_MOST]), *more]


def _names(changed: Sequence[Change]) -> str:
  names = [change.name for change in changed]
  if len(names) > _MOST:
    names[_MOST:] = [f'{len(names) - _MOST} more']
  return ', '.join(names)


def _short(text: str) -> str:
  """Both ends of a long value."""
  if len(text) <= 2 * _LONGEST:
    return text
  return f'{text[:_LONGEST]} ... {text[-_LONGEST:]}'
