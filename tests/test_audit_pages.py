"""What pages say of leaks and of shortcuts, whatever the study."""

import pytest

from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report import blocks
from heterojax.studies.pages import leaks
from heterojax.studies.pages import shortcuts
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.pages.shortcuts import Audit
from heterojax.studies.records import Shortcut

_CLASSES = ('ill', 'well')


def _shared(classes: tuple[str, ...] = _CLASSES, **kinds) -> Shared:
  """Leaks of 12 test images; a kind is counts by class, or why unknown."""
  none = dict.fromkeys(leaks.KINDS, (0,) * len(classes or 'a'))
  found = {
    kind: Missing(value)
    if isinstance(value, str)
    else Partly(dict(zip(classes or ('all',), value)))
    for kind, value in (none | kinds).items()
  }
  return Shared(found, classes, 12, False, 'clean', 'image', 0)


def _texts(shared: Shared) -> str:
  """All that is said of leaks, and the table, as one text."""
  said = []
  for block in leaks.blocks(shared):
    if isinstance(block, blocks.Table):
      said += [str(text) for row in block.cells for _, text in row]
    elif isinstance(block, blocks.Items):
      said += block.items
    else:
      said.append(str(block.text))
  return '\n'.join(said)


def _column(shared: Shared, head: str) -> list[str]:
  (block,) = [b for b in leaks.blocks(shared) if isinstance(b, blocks.Table)]
  at = [str(column.head) for column in block.heads].index(head)
  return [str(row[at][1]) for row in block.cells]


def test_leaks_are_said_once_and_the_strongest_first() -> None:
  shared = _shared(
    same_path=(2, 0),
    identical_file=(2, 0),
    identical_pixels=(3, 1),
    near_duplicate=(0, 1),
    shared_group=(3, 1),
  )
  sentences = leaks.sentences(shared)
  starts = ['2 of 12 ', '4 of 12 ', '1 of 12 ', '4 of 12 ']
  assert len(sentences) == len(starts)
  for sentence, start in zip(sentences, starts):
    assert sentence.startswith(start)
  assert 'pixel for pixel' in sentences[1] and 'included' in sentences[1]
  assert 'patient' in sentences[3] and 'included' not in sentences[3]
  assert sentences[0].endswith('(2 ill and 0 well).')
  (warning,) = leaks.warning(shared)
  assert 'is not independent' in warning.text and '2 of 12' in warning.text
  assert _column(shared, 'Test<br>ill') == ['2', '2', '3', '0', '3']
  assert _column(shared, 'Test<br>well') == ['0', '0', '1', '1', '1']


def test_no_leak_no_warning() -> None:
  shared = _shared(near_duplicate='<x>', shared_group='nobody')
  assert leaks.sentences(shared) == leaks.warning(shared) == []
  text = _texts(shared)
  assert leaks.nothing_shared(shared) in text
  assert 'identical file and identical pixels.' in text
  assert 'not known: nobody' in text and 'not known: &lt;x&gt;' in text
  assert 'tables/leaks.csv' not in text
  assert _column(shared, 'Test<br>ill') == ['0', '0', '0', '', '']


def test_what_is_known_of_some_patients_is_a_lower_bound() -> None:
  shared = _shared(shared_group=(3, 1))
  assert shared.groups_known
  why = '1 of 32 images name no patient'
  found = {**shared.leaks, 'shared_group': Partly({'ill': 3, 'well': 1}, why)}
  shared = shared._replace(leaks=found)
  assert not shared.groups_known
  assert f'at least: {why}' in _texts(shared)
  rows = [
    {'included': 'true', 'split': split, 'group': group}
    for split, group in (('train', 'a'), ('train', ''), ('test', 'b'))
  ]
  told = leaks.patients(shared, rows)
  assert told.startswith('Patients or groups: 1 in test, 1 in train. 1 of 32')
  unknown = _shared(shared_group=why)
  assert leaks.patients(unknown, rows).startswith('1 of 32')


def test_leaks_of_the_validation_part() -> None:
  shared = _shared(validation_shared_group=(0, 5))._replace(validates=True)
  assert leaks.sentences(shared) == leaks.warning(shared) == []
  assert '5 validation images are of a patient' in _texts(shared)
  assert _column(shared, 'Validation<br>well') == ['0', '0', '0', '0', '5']


def test_features_that_are_alike_are_no_proof() -> None:
  (warning,) = leaks.warning(_shared(near_duplicate=(1, 0)))
  assert 'may not be independent' in warning.text


def test_the_page_and_the_warning_say_what_was_not_looked_for() -> None:
  shared = _shared(near_duplicate='features differ in 2 dimensions')
  told = 'Near duplicates were not looked for: features differ in 2 dimensions.'
  assert told in _texts(shared)
  assert 'look at them' not in _texts(shared)
  leaking = _shared(
    near_duplicate='features differ in 2 dimensions', same_path=(1, 0)
  )
  (warning,) = leaks.warning(leaking)
  assert warning.text.endswith(told)
  assert leaks.not_looked_for(_shared()) == ''


def test_leaks_where_labels_are_numbers() -> None:
  shared = _shared((), same_path=(4,))
  assert leaks.sentences(shared) == [
    '4 of 12 test images show a file that training has as well.'
  ]
  assert _column(shared, 'Test<br>images') == ['4', '0', '0', '0', '0']


# --- Shortcuts.

_V = "Cramer's V"


def _shortcut(
  with_class: float = 0.01, with_cluster: float = 0.01, **changes
) -> Shortcut:
  own = {
    'column': '<eye>',
    'kind': 'categorical',
    'measure': _V,
    'n': 32,
    'with_class': with_class,
    'with_cluster': with_cluster,
    'p_value': 0.0004,
    'p_value_with_cluster': 0.0312,
    'auc_alone': 0.6,
  }
  return Shortcut(**own | changes)


def _audit(*entries: Shortcut, auc: float | None = 0.9, alone=0.8) -> Audit:
  why = Missing('several columns have no one association')
  together = Shortcut('all columns', why, why, 32, why, why, why, why, alone)
  return Audit((*entries, together), _CLASSES, 'image', auc, False, {})


@pytest.mark.parametrize('which', ['class', 'cluster'])
@pytest.mark.parametrize(
  'measure, strength, is_strong',
  [
    (_V, 0.499, False),
    (_V, 0.5, True),
    ('eta squared', 0.249, False),
    ('eta squared', 0.25, True),
  ],
)
def test_strong_columns_are_named(which, measure, strength, is_strong) -> None:
  entry = _shortcut(**{f'with_{which}': strength}, measure=measure)
  audit = _audit(entry)
  told, others = shortcuts.tell(audit), shortcuts.explain(audit)
  if which == 'cluster':
    told, others = others, told
  assert others == [] and len(told) == is_strong
  assert len(shortcuts.warning(audit)) == is_strong
  texts = [str(getattr(b, 'text', '')) for b in shortcuts.blocks(audit)]
  assert any('No column reaches' in text for text in texts) != is_strong
  if is_strong:
    p = 'p = 0.031' if which == 'cluster' else 'p < 0.001'
    shown = measure.replace("Cramer's", 'Cramér’s')
    assert f'({shown} {strength:.2f}, {p})' in told[0]
    assert '&lt;eye&gt;' in shortcuts.warning(audit)[0].text


@pytest.mark.parametrize('which', ['class', 'cluster'])
def test_what_may_be_chance_is_not_said(which) -> None:
  p_name = 'p_value' if which == 'class' else 'p_value_with_cluster'
  for p, says in (
    (0.051, ''),
    (Missing('of one patient'), 'no p-value, as of'),
  ):
    audit = _audit(_shortcut(**{f'with_{which}': 0.9, p_name: p}))
    told = shortcuts.tell(audit) + shortcuts.explain(audit)
    assert [says in text for text in told] == [True] * bool(says)
    assert len(shortcuts.warning(audit)) == bool(says)


def test_the_strongest_column_is_named_first() -> None:
  audit = _audit(
    _shortcut(with_class=0.6, column='b'),
    _shortcut(with_class=0.35, column='a', measure='eta squared'),
  )
  assert [text.split(' (')[0][-1] for text in shortcuts.tell(audit)] == [
    'a',
    'b',
  ]


@pytest.mark.parametrize(
  'kind, values, detail',
  [
    (
      'numeric',
      [['1', '2', '30', ''], [], ['7', '9'], ['5']],
      'its median is 2 in cluster 0 and 8 in cluster 2',
    ),
    # A cluster of copies alone has no share.
    (
      'categorical',
      [['a', 'b', ''], [], ['a', 'a', 'a', '']],
      'it is “a” for 75% of cluster 2 and 33% of cluster 0',
    ),
    (
      'categorical',
      [['', '', 'a'], [], ['a', 'b']],
      'it is missing for 67% of cluster 0 and 0% of cluster 2',
    ),
    ('categorical', [[], ['a', ''], []], ''),
  ],
)
def test_how_clusters_differ_in_a_column(kind, values, detail) -> None:
  audit = _audit(_shortcut(with_cluster=0.9, kind=kind))
  (sentence,) = shortcuts.explain(audit._replace(by_cluster={'<eye>': values}))
  assert sentence.endswith(f': {detail}.' if detail else '0.031).')


def test_columns_alone_against_the_network() -> None:
  better = shortcuts.columns_alone(_audit())
  assert 'an AUC of 0.80' in better and better.endswith('network 0.90.')
  assert 'does no better' in shortcuts.columns_alone(_audit(auc=0.7))
  first = _audit()._replace(folds=True)
  assert 'of the first fold' in shortcuts.columns_alone(first)
  for audit in (_audit(alone=Missing('x')), _audit(auc=None)):
    assert shortcuts.columns_alone(audit) == ''


def test_columns_that_were_not_audited_are_listed() -> None:
  why = Missing('all values are the same')
  skipped = Shortcut('site', *[why] * 8)
  audit = _audit(skipped, _shortcut())
  assert shortcuts.not_audited(audit) == ['site (all values are the same)']
  table = shortcuts.table(audit.shortcuts, 'image')
  assert [str(row[0][1]) for row in table.cells] == [
    '<eye>',
    'All these columns together',
  ]
  assert 'not audited: all values are the same' in table.csv()
  texts = [
    str(getattr(b, 'text', '')) for b in shortcuts.blocks(_audit(skipped))
  ]
  assert 'No column could be audited.' in texts
