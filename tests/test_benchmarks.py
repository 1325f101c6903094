"""Tests of how benchmarks are measured and written; not of any speed."""

import copy
import importlib
import subprocess
import sys

import pytest

from benchmarks import table
from benchmarks import turns


@pytest.fixture(scope='module')
def records() -> dict[str, dict]:
  module = 'tests.toy_benchmarks'
  case = importlib.import_module(module).CASES['toy']
  found = turns.measure(module, 'toy', case, full=False)
  return {record['peer']: record for record in found}


def test_a_part_of_the_work_is_extrapolated(records) -> None:
  """0.1 s for half of it, against 0.02 s."""
  slow = records['slow']
  assert slow['extrapolated'] and slow['fraction_measured'] == 0.5
  assert slow['theirs'] == pytest.approx(0.2, rel=0.5)
  assert slow['ours'] == pytest.approx(0.02, rel=0.9)
  assert slow['ratio'] == slow['theirs'] / slow['ours'] > 4
  assert slow['ratio_lowest'] <= slow['ratio'] <= slow['ratio_highest']
  assert slow['turns'] == 3
  assert slow['quality'] == {'gap': 2.0}


def test_a_side_that_is_missing_or_fails_is_told(records) -> None:
  assert records['absent'] == {
      'name': 'toy', 'peer': 'absent', 'missing': 'No module named absent'
  }
  assert 'ValueError: does not work' in records['broken']['failed']
  assert 'ratio' not in records['broken']


@pytest.mark.skipif(sys.platform != 'linux', reason='reads /proc')
def test_memory_is_what_the_work_adds(records) -> None:
  hungry = records['hungry']
  assert hungry['method'] == '100 MB'
  assert 95e6 < hungry['theirs_memory_bytes'] < 120e6
  assert hungry['ours_memory_bytes'] < 20e6


def test_the_table(records) -> None:
  lines = table.markdown({'records': list(records.values())}).splitlines()
  assert len(lines) == 2 + 4
  assert len({line.count('|') for line in lines}) == 1
  assert 'extrapolated from 0.5' in lines[2] and 'gap 2' in lines[2]
  assert 'missing: No module named absent' in lines[3]
  for record in records.values():
    assert record['peer'] in table.line(record)


def test_only_a_ratio_that_fell_is_a_failure() -> None:
  old = {'records': [
      {'name': 'a', 'peer': 'p', 'method': '', 'ratio': 4.0},
      {'name': 'a', 'peer': 'p', 'method': 'm', 'ratio': 4.0},
      {'name': 'b', 'peer': 'p', 'missing': 'why'},
  ]}  # pyformat: disable
  new = copy.deepcopy(old)
  new['records'][0]['ratio'] = 3.2
  new['records'][1]['ratio'] = 2.9
  new['records'].append({'name': 'c', 'peer': 'p', 'ratio': 0.1})
  assert table.slower(old, new, 1.3) == ['a against p m: 4 became 2.9']
  assert not table.slower(old, new, 1.4)


_WITHOUT_PEERS = """
import sys
from benchmarks import clusterings, clusters, features, heads, study
for module in (clusterings, clusters, features, heads, study):
  for name, case in module.CASES.items():
    assert list(case.sides)[0] == 'ours' and len(case.sides) > 1, name
heavy = {'jax', 'keras', 'tensorflow', 'torch', 'sklearn'} & set(sys.modules)
assert not heavy, heavy
"""


def test_cases_are_listed_without_importing_a_peer() -> None:
  subprocess.run([sys.executable, '-c', _WITHOUT_PEERS], check=True)
