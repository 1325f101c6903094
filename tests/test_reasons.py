"""The rule of nulls itself, and the examples in the docs."""

import json
import pathlib

import pytest
from reasons import nulls_without_reason

DOCS = pathlib.Path(__file__).parent.parent / 'docs'


def test_every_null_is_found() -> None:
  tree = {
    'a': None,
    'b': [1, None],
    'c': [[1, 2], [None, 3]],
    'd': [{'e': None}],
    'f': {'g': [{'h': [None]}]},
    'i': 0,
    'j': [],
    'k': '',
    'l_why': None,
    'intervals': {'m': None, 'n': [0, 1]},
  }
  assert nulls_without_reason(tree) == [
    '.a',
    '.b',
    '.c',
    '.d.e',
    '.f.g.h',
    '.l_why',
    '.intervals.m',
  ]
  del tree['l_why']
  tree |= {f'{name}_why': 'so' for name in 'abcm'}
  tree['d'][0]['e_why'] = tree['f']['g'][0]['h_why'] = 'so'
  assert nulls_without_reason(tree) == []
  tree['b_why'] = ''
  assert nulls_without_reason(tree) == ['.b']


@pytest.mark.parametrize('study', ['retraining', 'sample_size'])
def test_examples_say_why(study: str) -> None:
  example = json.loads((DOCS / f'results_{study}.json').read_text())
  assert nulls_without_reason(example) == []
