"""Stand-ins for the results of the studies: their names, and no others.

That they are those of a real study is checked where studies are run.
"""

from collections.abc import Sequence
import json
import pathlib
from typing import Any

from field_paths import missing
from field_paths import unnamed
import pytest

from heterojax.configs import common
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.records import conditions
from heterojax.records import foretell
from heterojax.studies import registry
from heterojax.studies.settings import Settings

DOCS = pathlib.Path(__file__).parent.parent / 'docs'


def _settings(study: str, **changes: Any) -> Settings:
  config = common.study(study, 'clean', 'avg')
  config.update_from_flattened_dict(changes)
  return registry.settings(config.to_dict())


def _of(
  settings: Settings, cohorts: Sequence[Cohort] | None = None
) -> dict[str, Any]:
  study = registry.get(settings.study)
  return foretell.foretell(study.results, study.known(settings, cohorts))


def _cohort(n: int, included: int) -> Cohort:
  candidates = [Candidate(str(i), str(i), 'a', '') for i in range(n)]
  candidates[included:] = [c.left_out('x') for c in candidates[included:]]
  return Cohort('', None, ('a', 'b'), tuple(candidates))


def test_lists_are_as_long_as_the_settings_say() -> None:
  found = _of(
    _settings('retraining', **{'cluster.k': 3, 'heads.random_runs': 2})
  )
  assert len(found['clusters']) == len(found['between_cluster_distances']) == 3
  assert len(found['clusters'][0]['random']['runs']) == 2
  assert len(found['distance_vs_performance']['pairs']) == 3
  # Before the data are read nobody knows how many folds they name.
  assert found['folds'][7]['overall']['accuracy'] == 1


def test_folds_are_those_of_the_data() -> None:
  settings = _settings('retraining')
  assert len(_of(settings, [_cohort(8, 8)] * 2)['folds']) == 2
  assert 'folds' not in _of(settings, [_cohort(8, 8)])


def test_sizes_are_those_of_the_data() -> None:
  settings = _settings('sample_size')
  cohorts = [_cohort(9, 4), _cohort(9, 4), _cohort(9, 4), _cohort(9, 9)]
  found = _of(settings, cohorts)['sizes']
  assert [len(size['folds']) for size in found] == [3, 1]
  files = _settings('sample_size', **{'data.files': '*.csv'})
  # A file's rows are its size, whether they are used or not.
  assert [len(s['folds']) for s in _of(files, cohorts)['sizes']] == [4]
  assert _of(settings)['sizes'][9]['folds'][9]['cv'] == 1


def test_classes_have_their_own_names_only() -> None:
  settings = _settings('sample_size')
  counts = _of(settings, [_cohort(4, 4)])['dataset']['class_counts']
  assert counts['a'] == counts['b'] == 1
  with pytest.raises(KeyError):
    counts['c']
  assert _of(settings)['dataset']['class_counts']['c'] == 1


def test_a_field_may_have_a_reason_and_nothing_else_has() -> None:
  found = _of(_settings('retraining'))['overall']
  assert found['auc_why'] == ''
  for name in ('f1', 'f1_why', 'auc_why_why', 'why'):
    with pytest.raises(KeyError):
      found[name]


def test_what_the_settings_leave_out() -> None:
  size = lambda **own: _of(_settings('sample_size', **own))['sizes'][0]
  assert size()['fuzzifiers'][0]['mean_of_cvs'] == 1
  assert size(**{'cluster.method': 'kmeans'})['fuzzifiers'] is None
  assert size()['folds'][0]['cv_by_components'] is None
  rule = {'reduction.rule': 'minimum_mode_cv'}
  assert size(**rule)['folds'][0]['cv_by_components']['mode'] == 1
  regression = {'data.task': 'regression', 'heads.monitor': 'val_loss'}
  assert 'accuracy' in size()['folds'][0]['scores']
  assert 'rmse' in size(**regression)['folds'][0]['scores']
  assert 'target' in _of(_settings('sample_size', **regression))['dataset']


@pytest.mark.parametrize('study', registry.STUDIES)
def test_examples_have_what_is_foretold(study: str) -> None:
  """The other way round too, but for what their settings leave out."""
  example = json.loads((DOCS / f'results_{study}.json').read_text())
  # Of the retraining study it is of the published protocol.
  settings = _settings(study, **{'split.protocol': example['protocol']})
  found = _of(settings)
  assert unnamed(found, example) == []
  lacks = [path for path in missing(found, example) if '_why' not in path]
  optional = {
    'retraining': ['results.folds', 'results.verdict', 'published'],
    'sample_size': [
      'results.leaks',
      'results.predictions',
      'results.shortcuts',
      'results.verdict',
      'published',
    ],
  }
  assert not [p for p in lacks if not any(o in p for o in optional[study])]


@pytest.mark.parametrize(
  'study, condition, says',
  [
    ('retraining', 'overall.f1 < 0.5', "overall has no field 'f1'"),
    ('retraining', 'cv > 0.05', "they have no field 'cv'"),
    ('retraining', 'clusters[4].size < 5', 'clusters has 4 entries'),
    ('retraining', 'clusters.size < 5', 'clusters is a list, of which'),
    (
      'retraining',
      'clusters[0].random.intervals.auc[0] < 1',
      "clusters[0].random has no field 'intervals'",
    ),
    ('retraining', 'overall < 5', 'overall < 5 is not of numbers'),
    ('retraining', "protocol + 1 == 'a'", 'protocol + 1 is not of numbers'),
    (
      'sample_size',
      'sizes[0].folds[0].cv_by_components.mode > 1',
      'cv_by_components is null with these settings',
    ),
    (
      'sample_size',
      'sizes[0].folds[0].scores.rmse > 1',
      "sizes[0].folds[0].scores has no field 'rmse'",
    ),
    ('sample_size', 'overall.accuracy < 1', "they have no field 'overall'"),
    (
      'retraining',
      'verdict.one_rule.given_one_rule < 0.05',
      "verdict.one_rule has no field 'given_one_rule'",
    ),
    (
      'retraining',
      'verdict.uneven.clusters[4].effect > 0',
      'clusters has 4 entries',
    ),
  ],
)
def test_what_a_study_will_not_have(
  study: str, condition: str, says: str
) -> None:
  with pytest.raises(UserError) as caught:
    conditions.check(condition, _of(_settings(study)))
  assert says in str(caught.value)


@pytest.mark.parametrize(
  'study, condition',
  [
    ('retraining', 'overall.accuracy < 0.9 and clusters[3].test.auc < 0.5'),
    ('retraining', 'clusters[0].random.runs[4].accuracy > 0.9'),
    ('retraining', "leaks.same_path['a b'] > 0 or leaks.same_path == None"),
    ('retraining', "overall.auc_why != ''"),
    ('retraining', 'shortcuts[5].with_class > 0.9'),
    ('retraining', 'timings.features.seconds > 60'),
    ('retraining', "environment.packages.jax == '1'"),
    ('retraining', 'folds[9].overall.accuracy < 0.9'),
    ('sample_size', 'sizes[-1].mean_of_cvs > sizes[0].cv_band[1]'),
    ('sample_size', 'sizes[-1].cv_p_value < 0.05'),
    ('sample_size', 'sizes[0].band_stays > 0 or sizes[0].band_draws < 999'),
    ('sample_size', "sizes[0].cv_p_value_why != ''"),
    ('sample_size', 'cv_vs_metric.pearson < -0.9'),
    ('sample_size', 'sizes[2].fuzzifiers[1].mean_of_cvs > 0.1'),
    ('sample_size', 'leaks.same_path.anything > 0'),
    ('retraining', 'verdict.answer == "yes"'),
    ('retraining', 'verdict.one_rule.p_value < 0.05'),
    ('retraining', 'verdict.one_rule.clusters[3].effect > 0.1'),
    ('retraining', 'verdict.uneven.given_one_rule < 0.05'),
    ('retraining', 'verdict.conditions[0].state == "fail"'),
    ('sample_size', 'verdict.answer == "yes"'),
    ('sample_size', 'verdict.decomposition[3].other_rule.value > 0.1'),
  ],
)
def test_what_it_will_have(study: str, condition: str) -> None:
  conditions.check(condition, _of(_settings(study)))


@pytest.mark.parametrize(
  'study, changes, name',
  [
    ('retraining', {'split.protocol': 'published'}, 'uneven'),
    ('retraining', {'split.protocol': 'published'}, 'one_rule'),
    (
      'sample_size',
      {'data.task': 'regression', 'heads.monitor': 'val_loss'},
      'one_rule',
    ),
  ],
)
def test_p_values_that_will_be_null(
  study: str, changes: dict[str, str], name: str
) -> None:
  stand_ins = _of(_settings(study, **changes))
  with pytest.raises(UserError, match='is not of numbers'):
    conditions.check(f'verdict.{name}.p_value < 0.05', stand_ins)
