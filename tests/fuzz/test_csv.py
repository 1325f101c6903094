"""Tables of data sets: damaged bytes, hostile cells, odd rows."""

import hypothesis
from hypothesis import strategies as st
import pytest

from fuzz import harness
from fuzz import strategies
from fuzz import subjects

_TABLES = {
  'odir5k table': 'data/full_df.csv',
  'nih_cxr table': 'data/Data_Entry_2017.csv',
  'bone_age table': 'data/boneage-training-dataset.csv',
  'folder table': 'table.csv',
  'features table': 'fold_0.csv',
}


def _with(
  draw: st.DrawFn, kind: str, how: st.SearchStrategy[bytes]
) -> harness.Input:
  given = draw(st.sampled_from(subjects.SUBJECTS[kind].sound()))
  table = _TABLES[kind]
  return given._replace(
    files=given.files | {table: draw(how(given.files[table]))}
  )


@pytest.mark.parametrize('kind', _TABLES)
@harness.fuzz()
@hypothesis.given(data=st.data())
def test_damaged_bytes(kind: str, data: st.DataObject) -> None:
  harness.check(kind, _with(data.draw, kind, strategies.damaged))


@pytest.mark.parametrize('kind', _TABLES)
@harness.fuzz(2)
@hypothesis.given(data=st.data())
def test_other_cells(kind: str, data: st.DataObject) -> None:
  harness.check(kind, _with(data.draw, kind, strategies.table))


@pytest.mark.parametrize('kind', list(_TABLES)[:4])
@harness.fuzz(0.5)
@hypothesis.given(data=st.data())
def test_other_classes(kind: str, data: st.DataObject) -> None:
  """What the user names may be anything, too."""
  given = _with(data.draw, kind, strategies.table)
  names = st.one_of(st.just(''), strategies.text)
  args = given.args | {
    'positive': data.draw(names),
    'negative': data.draw(names),
    'where': data.draw(
      st.one_of(
        st.just(''),
        strategies.text,
        strategies.text.map('site={}'.format),
      )
    ),
  }
  harness.check(kind, given._replace(args=args))


@harness.fuzz(0.3)
@hypothesis.given(content=st.binary(max_size=300), data=st.data())
def test_any_bytes(content: bytes, data: st.DataObject) -> None:
  kind = data.draw(st.sampled_from(sorted(_TABLES)))
  (given, *_) = subjects.SUBJECTS[kind].sound()
  files = given.files | {_TABLES[kind]: content}
  harness.check(kind, given._replace(files=files))


@pytest.mark.parametrize('kind', _TABLES)
@pytest.mark.parametrize('target', ['pipe', '/dev/zero', '{outside}', '.', ''])
def test_tables_that_are_no_files(kind: str, target: str) -> None:
  """A reader would wait for a pipe, and never come to the end of a device."""
  (given, *_) = subjects.SUBJECTS[kind].sound()
  table = _TABLES[kind]
  files = {name: own for name, own in given.files.items() if name != table}
  if target == 'pipe':
    given = given._replace(files=files, pipes=(table,))
  else:
    given = given._replace(files=files, links={table: target or table})
  assert harness.check(kind, given).outcome == 'refused'
