"""Damage and hostile values."""

from collections.abc import Sequence
import struct

from hypothesis import strategies as st

# A module that only an input names, which nothing may look for.
PLANTED = 'planted'
# What counts and lengths are said to be.
_LIES = [
  struct.pack(code, number)
  for code in ('<I', '>I', '<Q', '>Q', '<H', '>H')
  for number in (0, 1, 2**15 - 1, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**62)
  if number < 256 ** struct.calcsize(code)
]
FORMULAS = (
  '=1+1',
  '+cmd',
  '-x',
  '@SUM(1)',
  '\tx',
  '\rx',
  "'=x",
  "''-y",
  '=HYPERLINK(',
  '-1',
  '+2.5',
  '-1e5',
  '-',
  '=',
  '@',
)
PATHS = (
  '..',
  '../outside/sentinel',
  '../../outside/new',
  '/etc/passwd',
  '/dev/zero',
  '/dev/stdin',
  'a/../../b',
  './.',
  '~',
  '~root/x',
  'C:\\x',
  'a' * 300,
  '/'.join('ab') * 900,
  '\0',
  'x\0.png',
  '|ls',
  'file:///etc/passwd',
  '$(touch marker)',
  '`touch marker`',
  '*',
  '%s%n',
  '{0}',
)
NUMBERS = (
  'nan',
  'inf',
  '-inf',
  '1e400',
  '1e308',
  '-0',
  '0x10',
  '1_0',
  '٣',
  '²',
  '9' * 25,
  '9' * 5000,
  '-' + '9' * 400,
  '1e-400',
  '0.1',
  '00',
  '+1',
  '1.',
  '½',
  'None',
  'True',
  '[]',
  '{}',
  '""',
  "'",
  '"',
)
MARKUP = (
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onload='x",
  '</td></table><b>',
  '&lt;',
  '{{ 7 * 7 }}',
  '{% raw %}',
  '<!--',
  ']]>',
  '$x$',
  '\x1b[31mred',
  'a\nb',
  'a\r\nb',
  '\u202eabc',
  '\ufeff',
  '\u2028',
  '😀',
  'é',
  'x' * 5000,
  ',',
  '"',
  '""',
  ';',
  '|',
  '&',
  '#',
  '\\',
  '%',
)
HOSTILE = FORMULAS + PATHS + NUMBERS + MARKUP
# Of any characters that a file in UTF-8 or a command line may hold.
text = st.one_of(
  st.sampled_from(HOSTILE),
  st.text(st.characters(exclude_categories=('Cs',)), max_size=20),
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
  """The content after a few changes of any kind."""
  data = bytearray(content)
  for _ in range(draw(st.integers(1, 4))):
    at = draw(st.integers(0, max(0, len(data) - 1)))
    length = draw(st.sampled_from([1, 2, 4, 8, 16, 100]))
    match draw(
      st.sampled_from([
        'flip',
        'lie',
        'cut',
        'drop',
        'repeat',
        'insert',
        'move',
      ])
    ):
      case 'flip' if data:
        data[at] ^= draw(st.integers(1, 255))
      case 'lie':
        lie = draw(st.sampled_from(_LIES))
        data[at : at + len(lie)] = lie
      case 'cut':
        del data[at:]
      case 'drop':
        del data[at : at + length]
      case 'repeat':
        data[at:at] = data[at : at + length] * draw(st.sampled_from([1, 9]))
      case 'insert':
        data[at:at] = draw(st.binary(min_size=1, max_size=8))
      case 'move':
        to = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + length] = data[to : to + length]
  return bytes(data)


@st.composite
def table(draw: st.DrawFn, content: bytes) -> bytes:
  """A CSV file of which some cells are others, some rows longer or shorter."""
  rows = [line.split(',') for line in content.decode().splitlines()]
  quotes = draw(st.booleans())
  for _ in range(draw(st.integers(1, 6))):
    row = rows[draw(st.integers(0, len(rows) - 1))]
    at = draw(st.integers(0, len(row)))
    match draw(st.sampled_from(['cell'] * 6 + ['row', 'more', 'fewer'])):
      case 'cell':
        cell = draw(text)
        row[at : at + 1] = [
          '"' + cell.replace('"', '""') + '"' if quotes else cell
        ]
      case 'row':
        rows.insert(draw(st.integers(0, len(rows))), row[:])
      case 'more':
        row.insert(at, draw(text))
      case 'fewer':
        del row[at:]
  ends = draw(st.sampled_from(['\n', '\r\n', '\r', '\n\n']))
  coded = ['utf-8'] * 6 + ['utf-8-sig', 'utf-16', 'cp1252']
  coded = draw(st.sampled_from(coded))
  return ends.join(','.join(row) for row in rows).encode(coded, 'replace')


def one_of_damaged(contents: Sequence[bytes]) -> st.SearchStrategy[bytes]:
  return st.sampled_from(list(contents)).flatmap(damaged)
