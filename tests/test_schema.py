"""The JSON Schemas that are shipped, and what they accept."""

import copy
import json
import pathlib
from typing import Any

import pytest

from heterojax.records import schema
from heterojax.studies import registry
from heterojax.studies import schemas

DOCS = pathlib.Path(__file__).parent.parent / 'docs'


def validator(study: str) -> Any:
  jsonschema = pytest.importorskip(
    'jsonschema', reason='it comes with the extra dev'
  )
  kind = jsonschema.validators.Draft202012Validator
  found = json.loads(schemas.text(study))
  kind.check_schema(found)
  return kind(found)


def example(study: str) -> dict[str, Any]:
  return json.loads((DOCS / f'results_{study}.json').read_text())


@pytest.mark.parametrize('study', registry.STUDIES)
def test_schemas_are_up_to_date(study: str) -> None:
  """Else write them anew: python -m heterojax.studies.schemas."""
  in_package, in_docs = schemas.paths(study)
  assert in_docs.parent == DOCS
  for path in (in_package, in_docs):
    assert path.read_text() == schemas.text(study), path


@pytest.mark.parametrize('study', registry.STUDIES)
def test_examples_are_valid(study: str) -> None:
  validator(study).validate(example(study))


@pytest.mark.parametrize(
  'path, value',
  [
    ('overall.accuracy', 'high'),
    ('overall.accuracy', None),  # Nothing says why.
    ('overall.accuracy_why', 3),
    ('distance_vs_performance.spearman.auc', None),
    ('leaks.same_path_why', 3),
    ('overall.tp', '5'),
    ('overall.intervals.auc', [0.5]),
    ('clusters.0', 7),
    ('clusters.1.size', []),
    ('dataset.n_test', 1.5),
    ('dataset.class_counts_test.cataract', None),
    ('leaks.same_path', 'x'),
    ('split', 5),
    ('findings', [1]),
  ],
)
def test_damage_is_not_valid(path: str, value: Any) -> None:
  """All but what lies between fields is seen by other programs too."""
  tree = example('retraining')
  *where, last = path.split('.')
  inner = tree
  for name in where:
    inner = inner[int(name) if name.isdigit() else name]
  inner[int(last) if last.isdigit() else last] = value
  assert not validator('retraining').is_valid(tree)


def test_what_may_lack_and_what_may_not() -> None:
  valid, tree = validator('retraining').is_valid, example('retraining')
  without = lambda name: {k: v for k, v in tree.items() if k != name}
  assert valid(without('folds')) and valid(tree | {'unknown': 1})
  assert not valid(without('overall'))
  score = copy.deepcopy(tree)
  score['overall'] |= {'auc': None, 'auc_why': 'all 3 images are positive'}
  score['overall']['intervals']['auc'] = None
  assert valid(score)


def test_every_record_has_a_definition_of_its_own() -> None:
  for study in registry.STUDIES.values():
    found = schema.schema(study.results, '')
    assert all(own['description'] for own in found['$defs'].values())
    # Fields would be those of another record of the same name.
    assert found['$ref'] == f'#/$defs/{study.results.__name__}'
