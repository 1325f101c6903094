"""Command lines, settings and conditions of any content."""

import hypothesis
from hypothesis import strategies as st
import pytest

from fuzz import harness
from fuzz import strategies
from fuzz import subjects


def _defaults(config: dict, prefix: str = '') -> dict:
  found = {}
  for name, value in config.items():
    if isinstance(value, dict):
      found |= _defaults(value, f'{prefix}{name}.')
    else:
      found[f'{prefix}{name}'] = value
  return found


_FIELDS = _defaults(subjects.default_config())
_TYPED = {
  bool: st.booleans(),
  float: st.floats(0.01, 0.5),
  int: st.integers(0, 500),
  str: st.sampled_from(['', 'all', 'avg', 'kmeans', 'clean', 'x y', 'é']),
  tuple: st.lists(st.integers(1, 300), max_size=3).map(tuple),
}
_values = st.one_of(
  strategies.text,
  st.integers(-(2**70), 2**70).map(str),
  st.floats().map(repr),
  st.sampled_from([
    '0',
    '1',
    '-1',
    '2',
    '1000000',
    'true',
    'False',
    '()',
    '(1,)',
    '(0.5,)',
    '(256, -1)',
    "('a',)",
    '((1,),)',
    '(1',
    '[1]',
    'all',
    '0.5,half',
    '9' * 99,
    '__import__("os").system("touch marker")',
    "(open('marker', 'w'),)",
    'retraining',
    'sample_size',
    'regression',
    'gmm',
    'full',
    'avg',
    'none',
  ]),
)
_names = st.one_of(
  st.sampled_from(sorted(_FIELDS)),
  st.sampled_from(sorted(_FIELDS)),
  st.sampled_from(['data', 'x', 'data.x', '__class__', 'data.__dict__', '']),
)
# Each field with values that are like its own.
_likely = st.sampled_from(sorted(_FIELDS)).flatmap(
  lambda name: st.tuples(st.just(name), _TYPED[type(_FIELDS[name])])
)
_overrides = st.lists(
  st.one_of(
    st.builds('--config.{}={}'.format, _names, _values),
    _likely.map(lambda pair: '--config.{}={}'.format(*pair)),
    _likely.map(lambda pair: '--config.{}={}'.format(*pair)),
  ),
  max_size=4,
)
_shipped = st.sampled_from([
  'folder',
  'fundus',
  'chest_xray',
  'features',
  'demo',
  'psp',
  'bone_age',
])


@harness.fuzz(3)
@hypothesis.given(_shipped, _overrides, st.booleans())
def test_overrides(name: str, overrides: list[str], first: bool) -> None:
  words = [f'--config={name}', '--workdir={folder}/work']
  words = words + overrides if first else overrides + words
  harness.check('command line', harness.Input(args={'words': words}))


@harness.fuzz()
@hypothesis.given(
  st.lists(
    st.one_of(
      strategies.text,
      st.builds('--{}'.format, strategies.text),
      st.builds('--config={}'.format, strategies.text),
      st.builds('--config=folder:{}'.format, strategies.text),
      st.builds('--config=demo:{}={}'.format, strategies.text, _values),
      st.sampled_from([
        '--config=folder',
        '--config',
        '-config',
        '--config=',
        '--',
        '--config=folder:',
        '--config={folder}',
        '--workdir',
        '--help',
        '--config={folder}/none.py',
        '--flagfile=/dev/null',
        '-',
        '',
        '--nodebug',
        '--profile=maybe',
        '--fail_if=',
        '--undefok=x',
        '--config.x',
        '--config..=1',
        '--config.data',
      ]),
    ),
    max_size=4,
  )
)
def test_any_words(words: list[str]) -> None:
  harness.check('command line', harness.Input(args={'words': words}))


_FILES = {
  'empty': b'',
  'raises': b'raise ValueError("a\\nb")',
  'no config': b'x = 1',
  'not Python': b'\xff\0',
  'of another type': b'def get_config():\n  return 5',
  'nothing': b'def get_config():\n  return None',
  'endless': b'def get_config():\n  return get_config()',
  'empty config': (
    b'from ml_collections import config_dict\n'
    b'get_config = config_dict.ConfigDict'
  ),
}


@pytest.mark.parametrize('name', _FILES)
def test_files_that_are_no_configuration(name: str) -> None:
  given = harness.Input(
    files={'config.py': _FILES[name]},
    args={'words': ['--config={folder}/config.py', '--workdir=w']},
  )
  assert harness.check('command line', given).outcome == 'refused'


_anything = st.recursive(
  st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    strategies.text,
    st.binary(max_size=4),
    st.just(...),
    st.sampled_from(['retraining', 'sample_size', 'gmm', 0, 1, 2, 0.5]),
  ),
  lambda inner: st.one_of(
    st.lists(inner, max_size=3),
    st.lists(inner, max_size=3).map(tuple),
    st.dictionaries(strategies.text, inner, max_size=3),
  ),
  max_leaves=4,
)


@harness.fuzz(3)
@hypothesis.given(
  st.lists(
    st.one_of(
      _likely,
      _likely,
      st.tuples(st.sampled_from([*sorted(_FIELDS), 'data', 'x']), _anything),
    ),
    max_size=3,
  ).map(dict)
)
def test_settings(changes: dict) -> None:
  # A section cannot be changed both as a whole and in part.
  if 'data' in changes:
    changes = {k: v for k, v in changes.items() if not k.startswith('data.')}
  harness.check('settings', harness.Input(args={'changes': changes}))


_words = st.one_of(
  st.sampled_from([
    'overall',
    '.',
    'accuracy',
    'clusters',
    '[0]',
    '[-1]',
    '[99]',
    '[True]',
    "['size']",
    'size',
    '<',
    '<=',
    '==',
    '!=',
    '>',
    'and',
    'or',
    'not',
    '-',
    '+',
    '*',
    '/',
    '(',
    ')',
    ' ',
    '0',
    '1',
    '0.9',
    '1e999',
    '1j',
    '9' * 4000,
    "'a'",
    '"a\\nb"',
    '10**9',
    '3000000000',
    'zero',
    'study',
    'None',
    'True',
    'lambda: 0',
    '__import__("os")',
    'x:=1',
    '[x for x in y]',
    '{}',
    '...',
    "b'a'",
    'f"{1}"',
    '\n',
    '\0',
    '#',
    'in',
    'is',
    '%',
    '//',
    '@',
    'await',
    '.__class__',
    '.mix',
    "['a b']",
    'overall.accuracy',
    'overall.auc',
  ]),
  strategies.text,
)


@pytest.mark.parametrize('kind', ['fail_if', 'fail_if of results'])
@harness.fuzz(3)
@hypothesis.given(
  st.lists(_words, max_size=8), st.sampled_from(['', ' ', ' < '])
)
def test_conditions(kind: str, words: list[str], between: str) -> None:
  args = {'text': between.join(words)}
  harness.check(kind, harness.Input(args=args))


_GROWING = {
  'text that is repeated': "'a' * 3000000000 == 'b'",
  'a list that is repeated': 'clusters * 3000000000 == 0',
  'text that is doubled': "'a' + 'a' * 2000000000 == 'b'",
  'a deep expression': '(' * 90 + 'zero' + ')' * 90 + ' < 1',
  'a deeper expression': 'not ' * 5000 + 'zero',
  'a long sum': '+'.join(['zero'] * 50_000) + ' < 1',
  'a long path': 'overall' + '.x' * 50_000,
  'a long product': '*'.join(['9' * 4000] * 2000) + ' < 1',
  'many signs': '-' * 50_000 + '1 < 2',
}


@pytest.mark.parametrize('kind', ['fail_if', 'fail_if of results'])
@pytest.mark.parametrize('name', _GROWING)
def test_conditions_that_grow(kind: str, name: str) -> None:
  harness.check(kind, harness.Input(args={'text': _GROWING[name]}))
