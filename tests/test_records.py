"""Records and JSON: both ways, what is damaged, and what schemas say."""

from collections.abc import Mapping
import dataclasses
import json
import pathlib
from typing import Annotated, Any

import hypothesis
from hypothesis import strategies as st
import pytest

from heterojax.records import codec
from heterojax.records import foretell
from heterojax.records.codec import Estimate
from heterojax.records.codec import Flat
from heterojax.records.codec import Interval
from heterojax.records.codec import Mismatch
from heterojax.records.codec import Missing
from heterojax.records.codec import Named
from heterojax.records.codec import Number
from heterojax.records.codec import Partly
from heterojax.records.foretell import Known
from heterojax.studies import registry

DOCS = pathlib.Path(__file__).parent.parent / 'docs'
_NAMES = ('first', 'second')


@dataclasses.dataclass(frozen=True)
class Inner:
  """A record within."""

  id: int
  values: Annotated[Mapping[str, Estimate], Flat(lambda: _NAMES)]


@dataclasses.dataclass(frozen=True)
class Outer:
  """A record with a field of every kind.

  More about it.
  """

  text: str
  flag: bool
  count: int
  number: Number
  share: Estimate
  named: Annotated[Mapping[str, Interval | None], Named(lambda: _NAMES)]
  counts: Annotated[Mapping[str, int], 'classes']
  nested: Mapping[str, Mapping[str, Estimate]]
  bound: Partly[Mapping[str, int]] | Missing
  row: Partly[tuple[float | None, ...]]
  inner: Annotated[tuple[Inner, ...], 'K']
  square: Annotated[tuple[Annotated[tuple[float, ...], 'K'], ...], 'K']
  left_out: Inner | None
  anything: Any
  newer: tuple[str, ...] | None = None
  defaulted: int = 7


TREE = {
  'text': 'a',
  'flag': True,
  'count': 3,
  'number': 2.5,
  'share': None,
  'share_why': 'no images',
  'named': {'first': [0, 0.5], 'second': None},
  'counts': {'ill': 3, 'well': 0},
  'nested': {'data': {'seconds': 1.5, 'flops': None, 'flops_why': 'unknown'}},
  'bound': {'ill': 2},
  'bound_why': 'one file cannot be read',
  'row': [1.0, None],
  'row_why': 'one cluster is empty',
  'inner': [
    {'id': 0, 'first': 0.5, 'second': None, 'second_why': 'no positives'},
    {'id': 1, 'first': 1, 'third': 2},
  ],
  'square': [[0.0, 1.0], [1.0, 0.0]],
  'anything': {'any': [None, {}]},
  'defaulted': 8,
}


def changed(path: str, value: Any) -> dict[str, Any]:
  """The tree with a value at a path; `...` deletes the field."""
  tree = json.loads(json.dumps(TREE))
  *where, last = path.split('.')
  inner = tree
  for name in where:
    inner = inner[int(name) if name.isdigit() else name]
  if value is ...:
    del inner[last]
  else:
    inner[int(last) if last.isdigit() else last] = value
  return tree


def test_a_file_is_read_and_written_as_it_was() -> None:
  read = codec.decode(Outer, TREE)
  assert json.dumps(codec.encode(read)) == json.dumps(TREE)
  assert read.share == Missing('no images') and codec.known(read.share) is None
  assert codec.why(read.share) == 'no images'
  assert read.named == {'first': (0, 0.5), 'second': None}
  assert read.nested['data']['flops'] == Missing('unknown')
  assert read.bound == Partly({'ill': 2}, 'one file cannot be read')
  assert read.row == Partly((1.0, None), 'one cluster is empty')
  # A metric that a later release has is kept, one that is not there is not.
  assert read.inner[1].values == {'first': 1, 'third': 2}
  assert read.left_out is None and read.newer is None
  # 1 stays 1, and 1.0 stays 1.0.
  assert type(read.inner[1].values['first']) is int


def test_files_of_earlier_releases() -> None:
  read = codec.decode(Outer, changed('defaulted', ...) | {'unknown': 1})
  assert read.defaulted == 7 and read.newer is None
  assert 'unknown' not in codec.encode(read)
  read = codec.decode(Outer, changed('left_out', {'id': 3}))
  assert read.left_out == Inner(3, {})


@pytest.mark.parametrize(
  'path, value, says',
  [
    ('text', 5, 'results.text is 5, not text'),
    ('text', None, 'results.text is None, not text'),
    ('text', ..., 'results has no field text'),
    ('flag', 1, 'results.flag is 1, not true or false'),
    ('count', 3.0, 'results.count is 3.0, not a whole number'),
    ('count', True, 'results.count is True, not a whole number'),
    ('number', 'x', "results.number is 'x', not a number"),
    ('number', False, 'results.number is False, not a number'),
    ('number', float('inf'), 'results.number is inf, not a number'),
    ('number', float('nan'), 'results.number is nan, not a number'),
    ('number', 10**400, 'not a number'),
    ('share_why', ..., 'results.share is null, and nothing says why'),
    ('share_why', '', 'results.share is null, and nothing says why'),
    ('share_why', 5, 'results.share_why is 5, not text'),
    ('named', [], 'results.named is [], not an object'),
    ('named.first', [0], 'results.named.first has 1 entries, not 2'),
    ('named.first', 0, 'results.named.first is 0, not a list'),
    ('counts.ill', None, 'results.counts.ill is None, not a whole number'),
    ('nested.data.flops_why', ..., 'results.nested.data.flops is null, and'),
    ('bound_why', [], 'results.bound_why is [], not text'),
    ('row', None, 'results.row is None, not a list'),
    ('row.0', 'x', "results.row[0] is 'x', not a number"),
    ('inner.1', 7, 'results.inner[1] is 7, not an object'),
    ('inner.1.id', ..., 'results.inner[1] has no field id'),
    ('inner.0.second_why', ..., 'results.inner[0].second is null, and'),
    ('inner.1.third', 'x', "results.inner[1].third is 'x', not a number"),
    ('square.1.0', {}, 'results.square[1][0] is {}, not a number'),
    ('left_out', [], 'results.left_out is [], not an object'),
  ],
)
def test_damage_is_named_by_path(path: str, value: Any, says: str) -> None:
  with pytest.raises(Mismatch) as caught:
    codec.decode(Outer, changed(path, value))
  assert says in str(caught.value)


def test_a_long_value_is_cut_short() -> None:
  with pytest.raises(Mismatch) as caught:
    codec.decode(Outer, changed('count', 'x' * 10_000))
  assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
  'field, value',
  [
    ('share', Missing('')),
    ('bound', Missing('')),
    ('row', Partly((1.0, None))),
    ('row', Partly(((None,),))),
    ('nested', {'data': {'seconds': Missing('')}}),
  ],
)
def test_no_null_is_written_without_a_reason(field: str, value: Any) -> None:
  read = dataclasses.replace(codec.decode(Outer, TREE), **{field: value})
  with pytest.raises(ValueError, match='nothing says why'):
    codec.encode(read)


def test_an_estimate_is_finite_or_says_why() -> None:
  assert codec.estimate(2, 'so') == 2.0
  for value in (None, float('nan'), float('-inf')):
    assert codec.estimate(value, 'so') == Missing('so')


def test_lists_of_estimates_have_one_reason_for_all_their_nulls() -> None:
  assert codec.estimates(range(2), 'so') == Partly((0.0, 1.0))
  found = codec.estimates([[1, float('nan')], [2, 3]], 'so')
  assert found == Partly(((1.0, None), (2.0, 3.0)), 'so')


# Names of their own, so that none is the reason of another.
_WORDS = st.sampled_from(['a', 'b', 'c', 'ä', '</', '"'])
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_COUNTS = st.integers(-(10**6), 10**20)
_NUMBERS = _COUNTS | _FLOATS
_REASONS = st.text(min_size=1)
_ESTIMATES = _NUMBERS | st.builds(Missing, _REASONS)
_INNER = st.builds(
  Inner, _COUNTS, st.dictionaries(st.sampled_from(_NAMES), _ESTIMATES)
)
_ROWS = st.lists(_FLOATS | st.none()).map(tuple)


def _partly(row: tuple[float | None, ...]) -> st.SearchStrategy[Partly]:
  reasons = _REASONS if None in row else st.just('') | _REASONS
  return st.builds(Partly, st.just(row), reasons)


_OUTER = st.builds(
  Outer,
  text=st.text(),
  flag=st.booleans(),
  count=_COUNTS,
  number=_NUMBERS,
  share=_ESTIMATES,
  named=st.dictionaries(
    _WORDS, st.none() | st.tuples(_FLOATS, _FLOATS), max_size=3
  ),
  counts=st.dictionaries(_WORDS, _COUNTS),
  nested=st.dictionaries(_WORDS, st.dictionaries(_WORDS, _ESTIMATES)),
  bound=st.builds(Missing, _REASONS)
  | st.builds(Partly, st.dictionaries(_WORDS, _COUNTS), st.text()),
  row=_ROWS.flatmap(_partly),
  inner=st.lists(_INNER, max_size=3).map(tuple),
  square=st.lists(st.lists(_FLOATS).map(tuple), max_size=3).map(tuple),
  left_out=st.none() | _INNER,
  anything=st.dictionaries(_WORDS, _FLOATS | st.booleans()),
  newer=st.none() | st.lists(st.text()).map(tuple),
  defaulted=_COUNTS,
)


@hypothesis.given(_OUTER)
@hypothesis.settings(deadline=None, max_examples=30)
def test_what_is_written_is_read(record: Outer) -> None:
  text = json.dumps(codec.encode(record), allow_nan=False)
  read = codec.decode(Outer, json.loads(text))
  assert read == record
  assert json.dumps(codec.encode(read)) == text


_JSON = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
  lambda inner: st.lists(inner) | st.dictionaries(_WORDS, inner),
  max_leaves=6,
)


@hypothesis.given(st.sampled_from(sorted(TREE)), _JSON)
@hypothesis.settings(deadline=None)
def test_any_value_is_read_or_named(name: str, value: Any) -> None:
  try:
    read = codec.decode(Outer, TREE | {name: value})
  except Mismatch as error:
    assert str(error).startswith('results')
  else:
    codec.encode(read)


@pytest.mark.parametrize('name', registry.STUDIES)
def test_examples_of_the_docs(name: str) -> None:
  """Byte for byte, and no field of theirs is passed over."""
  text = (DOCS / f'results_{name}.json').read_text()
  read = codec.decode(registry.get(name).results, json.loads(text))
  written = json.dumps(codec.encode(read), indent=2, allow_nan=False) + '\n'
  assert written == text


def test_stand_ins_have_the_names_and_lengths_that_are_known() -> None:
  known = Known({'K': 2}, {'classes': ('ill', 'well')}, frozenset({'newer'}))
  found = foretell.foretell(Outer, known)
  assert found['share'] == 1 and found['share_why'] == ''
  assert len(found['inner']) == len(found['square'][1]) == 2
  assert (
    found['inner'][1]['first'] == 1 and found['inner'][0]['second_why'] == ''
  )
  assert found['counts']['ill'] == 1 and found['named']['second'] == [1, 1]
  assert found['nested']['data']['seconds'] == 1
  assert found['bound']['ill'] == 1 and found['row'][9] == 1
  assert found['left_out']['id'] == 1
  for path in (('newer',), ('f1',), ('counts', 'c'), ('inner', 2), ('why',)):
    with pytest.raises(LookupError):
      inner = found
      for name in path:
        inner = inner[name]


def test_stand_ins_of_what_is_not_known() -> None:
  found = foretell.foretell(Outer, Known(null=frozenset({'left_out'})))
  assert found['inner'][9]['first'] == found['counts']['any'] == 1
  assert found['left_out'] is None and found['left_out_why'] == ''
  assert found['anything']['any'][3] < 5


def test_lengths_may_differ_from_entry_to_entry() -> None:
  """As the numbers of folds of the sizes; a list as long as they is no less."""

  @dataclasses.dataclass(frozen=True)
  class Size:
    folds: Annotated[tuple[float, ...], 'T']
    pairs: Annotated[tuple[float, ...], 'P']

  @dataclasses.dataclass(frozen=True)
  class Sizes:
    sizes: Annotated[tuple[Size, ...], 'S']

  found = foretell.foretell(Sizes, Known({'S': 2, 'T': (4, 1), 'P': 2}))
  assert [len(size['folds']) for size in found['sizes']] == [4, 1]
  assert [len(size['pairs']) for size in found['sizes']] == [2, 2]
  # Before the data are read.
  assert foretell.foretell(Sizes, Known())['sizes'][7]['folds'][9] == 1
