"""Stand-ins for results: the names that results have, and no others.

That they are those of a real study is checked where studies are run.
"""

from typing import Any

import pytest

from heterojax.configs import common
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.studies import fields
from heterojax.studies import settings as settings_lib


def _settings(study: str, **changes: Any) -> settings_lib.Settings:
  config = common.study(study, 'clean', 'avg')
  config.update_from_flattened_dict(changes)
  return settings_lib.from_dict(config.to_dict())


def _cohort(n: int, included: int) -> Cohort:
  candidates = [Candidate(str(i), str(i), 'a', '') for i in range(n)]
  candidates[included:] = [c.left_out('x') for c in candidates[included:]]
  return Cohort('', None, ('a', 'b'), tuple(candidates))


def test_lists_are_as_long_as_the_settings_say() -> None:
  found = fields.of(
    _settings('retraining', **{'cluster.k': 3, 'heads.random_runs': 2})
  )
  assert len(found['clusters']) == len(found['between_cluster_distances']) == 3
  assert len(found['clusters'][0]['random']['runs']) == 2
  assert len(found['distance_vs_performance']['pairs']) == 3
  # Before the data are read nobody knows how many folds they name.
  assert found['folds'][7]['overall']['accuracy'] == 1


def test_folds_are_those_of_the_data() -> None:
  settings = _settings('retraining')
  assert len(fields.of(settings, [_cohort(8, 8)] * 2)['folds']) == 2
  assert 'folds' not in fields.of(settings, [_cohort(8, 8)])


def test_sizes_are_those_of_the_data() -> None:
  settings = _settings('sample_size')
  cohorts = [_cohort(9, 4), _cohort(9, 4), _cohort(9, 4), _cohort(9, 9)]
  found = fields.of(settings, cohorts)['sizes']
  assert [len(size['folds']) for size in found] == [3, 1]
  files = _settings('sample_size', **{'data.files': '*.csv'})
  # A file's rows are its size, whether they are used or not.
  assert [len(s['folds']) for s in fields.of(files, cohorts)['sizes']] == [4]
  assert fields.of(settings)['sizes'][9]['folds'][9]['cv'] == 1


def test_classes_have_their_own_names_only() -> None:
  settings = _settings('sample_size')
  counts = fields.of(settings, [_cohort(4, 4)])['dataset']['class_counts']
  assert counts['a'] == counts['b'] == 1
  with pytest.raises(KeyError):
    counts['c']
  assert fields.of(settings)['dataset']['class_counts']['c'] == 1


def test_a_field_may_have_a_reason_and_nothing_else_has() -> None:
  found = fields.of(_settings('retraining'))['overall']
  assert found['auc_why'] == ''
  for name in ('f1', 'f1_why', 'auc_why_why', 'why'):
    with pytest.raises(KeyError):
      found[name]


def test_what_the_settings_leave_out() -> None:
  size = lambda **own: fields.of(_settings('sample_size', **own))['sizes'][0]
  assert size()['fuzzifiers'][0]['mean_of_cvs'] == 1
  assert size(**{'cluster.method': 'kmeans'})['fuzzifiers'] is None
  assert size()['folds'][0]['cv_by_components'] is None
  rule = {'reduction.rule': 'minimum_mode_cv'}
  assert size(**rule)['folds'][0]['cv_by_components']['mode'] == 1
  regression = {'data.task': 'regression'}
  assert 'accuracy' in size()['folds'][0]['scores']
  assert 'rmse' in size(**regression)['folds'][0]['scores']
  assert (
    'target' in fields.of(_settings('sample_size', **regression))['dataset']
  )
