"""The last figures of each kind of processor, in docs/performance.md.

python -m benchmarks.page [FILE.json ...] adds reports of `benchmarks.run` and
`benchmarks.scaling` to docs/speed.json, and writes the page's tables anew. What
was measured again replaces what the same kind of processor had; the figures of
other kinds stay.
"""

from collections.abc import Callable, Iterable
import datetime
import json
import pathlib
import re
import sys
from typing import Any

from benchmarks import markdown
from benchmarks import sides
from benchmarks import table

_DOCS = sides.ROOT / 'docs'
KEPT, PAGE = _DOCS / 'speed.json', _DOCS / 'performance.md'
_FIELDS = (
  *('name', 'work', 'peer', 'method', 'quality', 'turns', 'extrapolated'),
  *('ratio', 'ratio_lowest', 'ratio_highest', 'ours', 'theirs'),
  *('ours_memory_bytes', 'theirs_memory_bytes'),
)
Kept = dict[str, dict[str, dict[str, Any]]]


def add(kept: Kept, report: dict[str, Any], day: str) -> None:
  """Puts what a report measured beside what is kept.

  Args:
    kept: kind of processor to 'rows' and 'sweeps', each by name; changed.
    report: of `benchmarks.run` or `benchmarks.scaling`.
    day: of the report.
  """
  machine = report['machine']
  versions = machine['packages'] | machine['peers']
  kind = f'{machine["processor"]}, {machine["cores"]} cores'
  known = kept.setdefault(kind, {'rows': {}, 'sweeps': {}})
  part = report.get('suite') == 'quick'
  for record in report.get('records', ()):
    key = f'{record["name"]} {table.peer(record)}'
    # What all of the work took says more.
    if 'ratio' in record and (
      not part or known['rows'].get(key, record).get('part', True)
    ):
      known['rows'][key] = {name: record.get(name) for name in _FIELDS} | {
        'version': versions.get(record['peer'], ''),
        'day': day,
        'part': part,
      }
  for sweep in report.get('sweeps', ()):
    if 'seconds_exponent' in sweep:
      known['sweeps'][sweep['name']] = sweep | {'day': day}


def tables(kept: Kept) -> dict[str, str]:
  """Tables and the list of versions, by the names of their places."""
  return {
    'speed': _table(('work', 'peer'), kept, 'rows', _work, _ratio),
    'exponents': _table(('sizes',), kept, 'sweeps', _sizes, _exponents),
    'versions': _versions(kept),
  }


def _table(
  titles: tuple[str, ...],
  kept: Kept,
  what: str,
  first: Callable[[dict[str, Any]], tuple[str, ...]],
  cell: Callable[[dict[str, Any]], str],
) -> str:
  rows = []
  for key in _in_order([known[what] for known in kept.values()]):
    found = [known[what].get(key) for known in kept.values()]
    cells = [cell(record) if record else '' for record in found]
    rows.append([*first(next(filter(None, reversed(found)))), *cells])
  for row, before in zip(rows[:0:-1], rows[-2::-1], strict=True):
    if row[0] == before[0]:
      row[0] = ''  # Said above.
  return markdown.table((*titles, *kept), rows) if rows else 'Not measured.\n'


def _in_order(lists: list[Iterable[str]]) -> list[str]:
  """All keys once; those of a module, and of a name, beside each other."""
  keys = [*dict.fromkeys(key for keys in reversed(lists) for key in keys)]
  for part in (' ', '/'):
    names = [*dict.fromkeys(key.partition(part)[0] for key in keys)]
    keys.sort(key=lambda key: names.index(key.partition(part)[0]))
  return keys


def _work(record: dict[str, Any]) -> tuple[str, str]:
  # 'of 64 images (full: 256)' is of 256 images here.
  work = re.sub(r'[\d,]+( [\w ]+) \(full: ([\d,]+)\)', r'\2\1', record['work'])
  return f'`{record["name"]}` {work}', table.peer(record)


def _ratio(record: dict[str, Any]) -> str:
  ratio = _number(record['ratio'])
  if record['ratio'] < 1:
    ratio = f'**{ratio}**'
  low, high = record['ratio_lowest'], record['ratio_highest']
  if low is not None and record['turns'] != 1:
    ratio += f' ({_number(low)} to {_number(high)})'
  times = ' / '.join(table.seconds(record[key]) for key in ('ours', 'theirs'))
  marks = [' ¹'] * record['part'] + [' ²'] * (
    record['extrapolated'] and record['peer'] != 'goal'
  )
  memory = [record[f'{side}_memory_bytes'] for side in ('ours', 'theirs')]
  held = ''
  if None not in memory:
    held = '; ' + ' / '.join(f'{size / 1e6:.0f}' for size in memory) + ' MB'
  return f'{ratio}: {times}{"".join(marks)}{held}'


def _number(value: float) -> str:
  return f'{value:.0f}' if value >= 100 else f'{value:.3g}'


def _sizes(sweep: dict[str, Any]) -> tuple[str]:
  first, last = sweep['points'][0]['size'], sweep['points'][-1]['size']
  return (f'`{sweep["name"]}` {first:,} to {last:,}',)


def _exponents(sweep: dict[str, Any]) -> str:
  memory = sweep.get('memory_bytes_exponent')
  held = '' if memory is None else f'; memory {memory:.2f}'
  return f'time {sweep["seconds_exponent"]:.2f}{held}'


def _versions(kept: Kept) -> str:
  """Which version each peer had, and when, where it was noted."""
  lines = []
  for kind, known in kept.items():
    rows = [row for row in known['rows'].values() if row['day']]
    if not rows:
      lines.append(f'- {kind}: before versions were noted.\n')
      continue
    days = sorted(row['day'] for row in rows)
    peers = sorted({
      f'{r["peer"]} {r["version"]}' for r in rows if r['version']
    })
    when = ' to '.join(dict.fromkeys((days[0], days[-1])))
    lines.append(f'- {kind}, {when}: {", ".join(peers)}.\n')
  return ''.join(lines)


def main(files: list[str]) -> None:
  """Adds the files of reports."""
  kept = json.loads(KEPT.read_text()) if KEPT.exists() else {}
  for name in files:
    path = pathlib.Path(name)
    day = datetime.date.fromtimestamp(path.stat().st_mtime).isoformat()
    add(kept, json.loads(path.read_text()), day)
  KEPT.write_text(json.dumps(kept, indent=1) + '\n')
  for place, text in tables(kept).items():
    markdown.put(PAGE, place, text)


if __name__ == '__main__':
  main(sys.argv[1:])
