"""Cells as long as CSV allows take no longer than their length."""

import pathlib
import time

import pytest

from heterojax.datasets import folder
from heterojax.datasets import folder_parts
from heterojax.datasets import lookalikes
from heterojax.datasets import manifest

_LONG = 50_000  # Characters; where each is gone back to, a minute or more.
_SECONDS = 5.0


def _timed(read, *args):
  start = time.process_time()
  found = read(*args)
  assert time.process_time() - start < _SECONDS
  return found


@pytest.mark.parametrize(
  'cell', ['1' * _LONG, f'.{"1" * _LONG}', f'1.{"0" * _LONG}']
)
def test_what_nearly_is_a_number(cell: str):
  assert _timed(manifest.csv_text, ['a'], [[f'{cell}x']]) == f'a\n{cell}x\n'
  cells = [f'{cell}{end}x' for end in range(10)] * 2
  labels = ['a', 'b'] * 10
  assert _timed(lookalikes.repeats_within_classes, cells, labels)


def test_names_of_patients_and_folds():
  assert not _timed(lookalikes.by_name, f'{"patient" * (_LONG // 7)}!')
  assert _timed(lookalikes.by_name, f'{"patient" * (_LONG // 7)}id')
  assert not _timed(folder_parts.fold, '1' * _LONG)


def test_table(tmp_path: pathlib.Path):
  path = tmp_path / 't.csv'
  rows = [f'{i}.png,{i % 2},{"1" * _LONG}{i % 10}x' for i in range(20)]
  path.write_text('\n'.join(['path,label,note', *rows]))
  cohort = _timed(folder.read, path, ('1', '0'))
  assert len(''.join(_timed(manifest.manifest_csv, cohort))) > 20 * _LONG
