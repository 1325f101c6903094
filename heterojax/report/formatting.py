"""How numbers, lists and inputs are written in the report."""

from collections.abc import Iterable
import math
import re

from heterojax.records.codec import Missing

# Controls but tabs and ends of lines, and what turns the order of the text
# after it, so that 12 is read as 21.
_UNSEEN = re.compile('[\0-\b\v-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')


def seen(text: str) -> str:
  """A page without what names in it would do to the text beside them."""
  return _UNSEEN.sub('\ufffd', text)


def percent(value: float, digits: int = 1) -> str:
  return f'{100 * value:z.{digits}f}%'


def listed(items: Iterable[object]) -> str:
  """'a', 'a and b', 'a, b and c'."""
  *most, last = map(str, items)
  return f'{", ".join(most)} and {last}' if most else last


def capital(text: str) -> str:
  """The text with a large first letter."""
  return text[:1].upper() + text[1:]


def number(value: float) -> str:
  """A count, or a mean of counts to one decimal."""
  whole = float(value).is_integer()
  return f'{int(value):,}' if whole else f'{value:,.1f}'


def counted(n: float, noun: str) -> str:
  return f'{number(n)} {noun}' if n == 1 else f'{number(n)} {noun}s'


def times(n: int) -> str:
  """'once', '5 times'."""
  return 'once' if n == 1 else f'{number(n)} times'


def p_value(value: float) -> str:
  """'0.012', but never 0 or 1, nor 0.05 where it is more."""
  if value < 0.001:
    return '< 0.001'
  if _seems_small(value):
    return '> 0.05'
  return '> 0.999' if value > 0.999 else f'{value:.3f}'


def _seems_small(p: float) -> bool:
  """Whether it is above 0.05, and three decimals would say 0.050."""
  return p > 0.05 and f'{p:.3f}' == '0.050'


def p_equals(value: float) -> str:
  """'p = .005', 'p = .38', and 'p < .001' where less would be printed as 0."""
  if value < 0.001:
    return 'p < .001'
  if _seems_small(value):
    return 'p > .05'
  if value >= 0.995:
    return 'p = 1' if value == 1 else 'p > .99'
  digits = 3 if value < 0.0995 else 2
  return f'p = {value:.{digits}f}'.replace('0.', '.', 1)


def fraction(value: float) -> str:
  """A share to three decimals."""
  return f'{value:z.3f}'


def signed(value: float) -> str:
  """Two decimals, with the minus sign of typesetters."""
  return f'{value:z.2f}'.replace('-', '−')


def exact(value: float) -> str:
  """A number as a paper prints it, or a table holds it."""
  return f'{value:.15g}'


def resolved(value: float, spread: float) -> str:
  """A number to the decimals that four digits of its spread have.

  Args:
    value: one of several numbers, or their mean.
    spread: their standard deviation. What stands before the point is whole.

  Returns:
    Its text: of a spread of 13.6, 10000060.863 is '10000060.86'.
  """
  if spread > 0:
    value = round(value, max(0, 3 - math.floor(math.log10(spread))))
  return exact(value + 0.0).replace('-', '−')


def distance(value: float) -> str:
  """One decimal, or two digits where that would leave none or far too many."""
  return f'{value:.1f}' if not value or 1 <= value < 1e6 else f'{value:.2g}'


def why_null(value: object) -> str:
  """Why a value is not known, in words; '' where it is."""
  if isinstance(value, Missing):
    return f'not estimable: {value.why}'
  return 'not reported' if value is None else ''


def of_class(n: float, label: str) -> str:
  """'3 normal', or '3 of class 0' where the name begins with a number."""
  name = f'of class {label}' if label[:1].isnumeric() else label
  return f'{number(n)} {name}'
