"""Records of the benchmarks as a table, and beside those of an earlier run."""

from typing import Any


def peer(record: dict[str, Any]) -> str:
  """Library and method."""
  return ' '.join(filter(None, (record['peer'], record.get('method'))))


def seconds(value: float) -> str:
  """With its unit."""
  if value < 0.1:
    return f'{1e3 * value:.3g} ms'
  return f'{value:.3g} s' if value < 1000 else f'{value / 60:.0f} min'


def _quality(record: dict[str, Any]) -> str:
  return ', '.join(
    f'{name.replace("_", " ")} {value:.3g}'
    for name, value in record['quality'].items()
  )


def _why_not(record: dict[str, Any]) -> str:
  return ', '.join(
    f'{k}: {record[k]}' for k in ('missing', 'failed') if k in record
  )


def line(record: dict[str, Any]) -> str:
  """One record in plain text."""
  start = f'{record["name"]} against {peer(record)}: '
  if 'ratio' not in record:
    return start + _why_not(record)
  done = ''
  if record['extrapolated']:
    done = f', they did {record["fraction_measured"]:.3g} of it'
  return (
    f'{start}{record["ratio"]:.3g} ({record["ratio_lowest"]:.3g} to'
    f' {record["ratio_highest"]:.3g}), {seconds(record["ours"])} and'
    f' {seconds(record["theirs"])}{done}; {_quality(record)}'
  )


def markdown(report: dict[str, Any]) -> str:
  """The table of a report, in Markdown."""
  rows = [
    '| benchmark | peer | ours | theirs | ratio | memory, ours / theirs | |',
    '|---|---|---|---|---|---|---|',
  ]
  for r in report['records']:
    if 'ratio' not in r:
      rows.append(f'| {r["name"]} | {peer(r)} | | | | | {_why_not(r)} |')
      continue
    memory = ' / '.join(
      '?'
      if r[f'{side}_memory_bytes'] is None
      else f'{r[f"{side}_memory_bytes"] / 1e6:.0f}'
      for side in ('ours', 'theirs')
    )
    notes = [_quality(r)]
    if r['extrapolated']:
      share = f'{r["fraction_measured"]:.2g}'
      notes.append(f'extrapolated from {share} of the work')
    rows.append(
      f'| {r["name"]} | {peer(r)} | {seconds(r["ours"])} |'
      f' {seconds(r["theirs"])} | {r["ratio"]:.3g}'
      f' ({r["ratio_lowest"]:.3g} to {r["ratio_highest"]:.3g}) |'
      f' {memory} MB | {"; ".join(notes)} |'
    )
  return '\n'.join(rows) + '\n'


def slower(
  old: dict[str, Any], new: dict[str, Any], threshold: float
) -> list[str]:
  """What fell behind its peer by more than the threshold.

  Ratios are compared and not seconds: both sides of a ratio saw one machine.
  """
  before = {(r['name'], peer(r)): r.get('ratio') for r in old['records']}
  found = []
  for record in new['records']:
    was = before.get((record['name'], peer(record)))
    now = record.get('ratio')
    if was and now and was / now > threshold:
      found.append(
        f'{record["name"]} against {peer(record)}: {was:.3g} became {now:.3g}'
      )
  return found
