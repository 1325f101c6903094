"""Tests of how benchmarks are measured and written; not of any speed."""

import copy
import importlib
import json
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks import growth
from benchmarks import markdown
from benchmarks import page
from benchmarks import sides
from benchmarks import sweeps
from benchmarks import table
from benchmarks import turns
from benchmarks import waits

_TOYS = 'tests.toy_benchmarks'


def _measured(name: str, full: bool = False) -> dict[str, dict]:
  case = importlib.import_module(_TOYS).CASES[name]
  with turns.Crew(_TOYS) as crew:
    found = turns.measure(crew, name, case, full)
  return {record['peer']: record for record in found}


@pytest.fixture(scope='module')
def records() -> dict[str, dict]:
  return _measured('toy')


@pytest.mark.medium
def test_a_part_of_the_work_is_extrapolated(records) -> None:
  """An eighth of a second for half of it, against a thirty-second."""
  slow = records['slow']
  assert slow['extrapolated'] and slow['fraction_measured'] == 0.5
  assert 0.2 <= slow['theirs'] < 0.35
  assert 0.1 <= slow['theirs_first_run'] < 0.2
  assert slow['ours'] == pytest.approx(0.02, rel=0.9)
  assert slow['ratio'] == slow['theirs'] / slow['ours'] > 4
  assert slow['ratio_lowest'] <= slow['ratio'] <= slow['ratio_highest']
  assert slow['turns'] == 3
  assert slow['quality'] == {'gap': 2.0}


@pytest.mark.medium
def test_a_side_that_is_missing_or_fails_is_told(records) -> None:
  assert records['absent']['missing'] == 'No module named absent'
  assert 'ValueError: does not work' in records['broken']['failed']
  assert 'exit code 9' in records['dies']['failed']
  for name in ('absent', 'broken', 'dies'):
    assert 'ratio' not in records[name]
  assert 'ratio' in records['slow']


def test_what_nobody_can_prepare_is_told_for_every_peer() -> None:
  found = _measured('unprepared')
  assert {p: r['missing'] for p, r in found.items()} == {
    'steady': 'no data',
    'full': 'no data',
  }


@pytest.mark.medium
@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory_is_what_the_work_adds(records) -> None:
  hungry = records['hungry']
  assert hungry['method'] == '100 MB'
  assert 95e6 < hungry['theirs_memory_bytes'] < 120e6
  assert hungry['ours_memory_bytes'] < 20e6
  assert 95e6 < records['parent']['theirs_memory_bytes'] < 150e6


def test_a_single_turn_may_be_the_first_run() -> None:
  found = _measured('turns')
  assert list(found) == ['steady']
  record = found['steady']
  assert record['quality'] == {'our_runs': 2.0, 'their_runs': 1.0}
  assert record['theirs'] == record['theirs_first_run'] >= 0.2
  assert record['ours'] < 0.15 < record['ours_first_run']


def test_a_case_whose_peers_are_left_out_is_not_run() -> None:
  assert _measured('alone') == {}


def test_a_clock_is_a_goal() -> None:
  side = waits.CASES['waits/demo'].sides['goal'](None)
  start = time.perf_counter()
  side.run()
  assert time.perf_counter() - start >= side.fraction * 45 - 1e-3


@pytest.mark.medium
def test_of_several_turns_the_first_run_is_none() -> None:
  found = _measured('turns', full=True)
  assert list(found) == ['steady', 'full']
  for record in found.values():
    assert record['turns'] == 3
    assert record['quality'] == {'our_runs': 4.0, 'their_runs': 4.0}
    assert record['theirs'] < 0.15 < record['theirs_first_run']


@pytest.mark.medium
def test_the_table(records) -> None:
  lines = table.markdown({'records': list(records.values())}).splitlines()
  assert len(lines) == 2 + len(records)
  assert len({line.count('|') for line in lines}) == 1
  assert 'extrapolated from 0.5' in lines[2] and 'gap 2' in lines[2]
  assert 'missing: No module named absent' in lines[3]
  for record in records.values():
    assert record['peer'] in table.line(record)


def test_only_a_ratio_that_fell_is_a_failure() -> None:
  old = {
    'records': [
      {'name': 'a', 'peer': 'p', 'method': '', 'ratio': 4.0},
      {'name': 'a', 'peer': 'p', 'method': 'm', 'ratio': 4.0},
      {'name': 'b', 'peer': 'p', 'missing': 'why'},
    ]
  }
  new = copy.deepcopy(old)
  new['records'][0]['ratio'] = 3.2
  new['records'][1]['ratio'] = 2.9
  new['records'].append({'name': 'c', 'peer': 'p', 'ratio': 0.1})
  assert table.slower(old, new, 1.3) == ['a against p m: 4 became 2.9']
  assert not table.slower(old, new, 1.4)


@pytest.mark.medium
def test_seconds_are_kept_for_each_case(tmp_path) -> None:
  out = tmp_path / 'out.json'
  command = [sys.executable, '-m', 'benchmarks.run', '--only=^no such case$']
  subprocess.run([*command, f'--out={out}'], check=True, cwd=sides.ROOT)
  report = json.loads(out.read_text())
  assert report['records'] == [] and report['case_seconds'] == {}
  assert report['machine']['commit'] is not None
  assert out.with_suffix('.md').exists()


def test_an_exponent_by_hand() -> None:
  sizes = np.array([1, 10, 100])
  assert growth.exponent(sizes, 3 * sizes**2) == pytest.approx(2)
  # Slopes 0 and 1 about an evenly spaced middle: the mean of both.
  assert growth.exponent(sizes, [5, 5, 50]) == pytest.approx(0.5)


def test_a_point_that_is_not_there_does_not_enter_a_fit() -> None:
  points = [
    {'size': 1, 'seconds': 2.0, 'memory_bytes': 100},
    {'size': 2, 'failed': 'why'},
    {'size': 4, 'seconds': 8.0, 'memory_bytes': None},
  ]
  record = growth.fitted('a', points)
  assert record['points'] == points
  assert record['seconds_exponent'] == pytest.approx(1)
  assert record['seconds_last_over_first'] == 4
  assert 'memory_bytes_exponent' not in record


def test_a_point_is_the_median_of_its_turns() -> None:
  case = importlib.import_module(_TOYS).CASES['turns']
  found = growth.point(_TOYS, 'turns', case)
  assert found['turns'] == 3
  assert 0.02 <= found['seconds_lowest'] <= found['seconds'] < 0.15


def test_the_figure_has_two_panels_for_a_sweep() -> None:
  points = [
    {'size': size, 'seconds': 1e-3 * size, 'memory_bytes': 10**6}
    for size in (1, 10, 100)
  ]
  records = [growth.fitted(name, points) for name in sweeps.SWEEPS]
  records[1] = growth.fitted(records[1]['name'], [{'size': 1, 'failed': ''}])
  figure = growth.drawn(records)
  shown = [axes for axes in figure.axes if axes.get_visible()]
  assert len(shown) == 2 * (len(records) - 1)
  for axes in shown:
    (note,) = (text.get_text() for text in axes.texts)
    expected = '1.00' if axes.get_ylabel().startswith('seconds') else '0.00'
    assert note == f'exponent {expected}'
    dots, line = axes.get_lines()
    np.testing.assert_allclose(dots.get_ydata(), line.get_ydata())


_WITHOUT_PEERS = """
import importlib, sys
from benchmarks import sides, sweeps
for name in sides.MODULES:
  module = importlib.import_module(f'benchmarks.{name}')
  for name, case in module.CASES.items():
    listed = list(case.sides)
    assert listed[0] == 'ours' and len(listed) > 1, name
    assert set(case.full_only) <= set(listed[1:]), name
assert len(sweeps.CASES) == sum(len(s.values) for s in sweeps.SWEEPS.values())
heavy = {'jax', 'keras', 'tensorflow', 'torch', 'sklearn'} & set(sys.modules)
assert not heavy, heavy
"""


def test_cases_are_listed_without_importing_a_peer() -> None:
  subprocess.run([sys.executable, '-c', _WITHOUT_PEERS], check=True)


def _report(processor: str, **ratios: float) -> dict:
  record = {
    **{'work': 'sums of 2 rows (full: 4)', 'method': '', 'extrapolated': False},
    **{'turns': 3, 'ours_memory_bytes': None, 'theirs_memory_bytes': None},
  }
  return {
    'suite': 'full',
    'machine': {
      **{'processor': processor, 'cores': 2},
      **{'packages': {'p': '1.0'}, 'peers': {'q': '2.0'}},
    },
    'records': [
      record
      | {'name': name, 'peer': peer, 'ours': 1.0, 'theirs': ratio}
      | {'ratio': ratio, 'ratio_lowest': ratio / 2, 'ratio_highest': 250.0}
      for name, ratio in ratios.items()
      for peer in ('p', 'q')
    ],
  }


def test_each_kind_of_processor_keeps_its_last_figures() -> None:
  kept: page.Kept = {}
  page.add(kept, _report('A', b=2.0, a=3.0), '2026-01-01')
  page.add(kept, _report('B', a=0.5), '2026-01-02')
  page.add(kept, _report('A', a=4.0), '2026-01-03')
  assert page.tables(kept)['speed'].splitlines()[2:] == [
    '| `a` sums of 4 rows | p | 4 (2 to 250): 1 s / 4 s |'
    ' **0.5** (0.25 to 250): 1 s / 0.5 s |',
    '|  | q | 4 (2 to 250): 1 s / 4 s | **0.5** (0.25 to 250): 1 s / 0.5 s |',
    '| `b` sums of 4 rows | p | 2 (1 to 250): 1 s / 2 s |  |',
    '|  | q | 2 (1 to 250): 1 s / 2 s |  |',
  ]
  assert page.tables(kept)['versions'].splitlines() == [
    '- A, 2 cores, 2026-01-01 to 2026-01-03: p 1.0, q 2.0.',
    '- B, 2 cores, 2026-01-02: p 1.0, q 2.0.',
  ]


def test_the_quick_suite_is_marked_and_replaces_no_full_one() -> None:
  quick = {'suite': 'quick'}
  kept: page.Kept = {}
  page.add(kept, _report('A', a=2.0, b=2.0) | quick, '')
  page.add(kept, _report('A', a=3.0), '')
  page.add(kept, _report('A', a=4.0, b=4.0) | quick, '')
  rows = page.tables(kept)['speed'].splitlines()[2::2]
  assert '3 (1.5 to 250): 1 s / 3 s |' in rows[0]
  assert '4 (2 to 250): 1 s / 4 s ¹ |' in rows[1]


def test_exponents_of_a_sweep_on_the_page() -> None:
  points = [{'size': 10, 'seconds': 1.0}, {'size': 1000, 'seconds': 100.0}]
  report = _report('A') | {'sweeps': [growth.fitted('n', points)]}
  kept: page.Kept = {}
  page.add(kept, report, '2026-01-01')
  assert page.tables(kept)['exponents'].splitlines()[2:] == [
    '| `n` 10 to 1,000 | time 1.00 |'
  ]


def test_what_is_kept_is_what_the_page_says() -> None:
  """Neither was changed alone."""
  kept = json.loads(page.KEPT.read_text())
  text = page.PAGE.read_text()
  for name, part in page.tables(kept).items():
    assert f'<!-- {name} -->\n{part}<!-- end' in text


def test_rows_of_other_names_stay(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'page.md'
  path.write_text('<!-- x -->\n<!-- end of x -->\n')
  for rows in ([('a', 1), ('b', 2)], [('b', 3000), ('c', 4)]):
    markdown.put_rows(path, 'x', ('n', 'of'), rows)
  assert path.read_text() == (
    '<!-- x -->\n| n | of |\n| --- | --- |\n| a | 1 |\n| b | 3,000 |\n'
    '| c | 4 |\n<!-- end of x -->\n'
  )


def test_rows_of_several_runs_are_summed(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'page.md'
  path.write_text('<!-- x -->\n<!-- end of x -->\n')
  for row in (('a', 1200, 1, '3 of 4'), ('a', 30, 1, '4 of 4')):
    markdown.put_rows(path, 'x', ('n', 'tried', 'of', 'lines'), [row], summed=2)
  assert '| a | 1,230 | 2 | 4 of 4 |\n' in path.read_text()


def test_a_table_goes_between_its_comments(tmp_path: pathlib.Path) -> None:
  path = tmp_path / 'page.md'
  path.write_text('a\n<!-- x -->\nold\n<!-- end of x -->\nb\n')
  for _ in range(2):
    markdown.put(path, 'x', markdown.table(('n', 'of'), [(1234, 'a|b')]))
  assert path.read_text() == (
    'a\n<!-- x -->\n| n | of |\n| --- | --- |\n| 1,234 | a\\|b |\n'
    '<!-- end of x -->\nb\n'
  )
  with pytest.raises(ValueError, match='no place for y'):
    markdown.put(path, 'y', '')
