"""Which images each head of the retraining study trains and validates on."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from heterojax.configs import fundus
from heterojax.heads import ensemble
from heterojax.studies import clustering
from heterojax.studies import retraining
from heterojax.studies import settings as settings_lib
from heterojax.studies import stages
from heterojax.studies.outcome import Clusters
from heterojax.studies.outcome import HeadName
from heterojax.studies.samples import Samples

_N, _D, _K = 90, 12, 3


def _settings(**changes: object) -> settings_lib.Settings:
  config = fundus.get_config('protocol=published')
  config.reduction.n_components = 4
  config.cluster.k = _K
  with config.unlocked():
    for path, value in changes.items():
      section, field = path.split('__')
      config[section][field] = value
  return settings_lib.from_dict(config.to_dict())


def _clusters(
    settings: settings_lib.Settings, x: np.ndarray, samples: Samples
) -> Clusters:
  return clustering.cluster_analysis(settings, jnp.asarray(x), samples, 0)


def test_members(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings()
  found = _clusters(settings, blobs, samples)
  heads = retraining.members(settings, samples, found, 0)
  assert len(heads) == 1 + _K * (1 + 5)
  train = samples.row[:60]
  np.testing.assert_array_equal(heads[HeadName('overall')].rows, train)
  own = [heads[HeadName('cluster', c)].rows for c in range(_K)]
  np.testing.assert_array_equal(
      np.sort(np.concatenate(own)), np.sort(train)
  )
  available = np.bincount(train, minlength=80)
  # All heads stop early by the same images.
  for member in heads.values():
    np.testing.assert_array_equal(member.validation, samples.row[60:])
  for c in range(_K):
    runs = [heads[HeadName('random', c, r)].rows for r in range(5)]
    for rows in runs:
      assert len(rows) == len(own[c])
      # Without replacement: no picture more often than training has it.
      assert (np.bincount(rows, minlength=80) <= available).all()
    assert len({tuple(sorted(rows)) for rows in runs}) == 5


def test_more_runs_change_no_other_head(
    samples: Samples, blobs: np.ndarray
) -> None:
  few, many = _settings(heads__random_runs=2), _settings(heads__random_runs=7)
  found = _clusters(few, blobs, samples)
  more = retraining.members(many, samples, found, 0)
  for name, member in retraining.members(few, samples, found, 0).items():
    np.testing.assert_array_equal(member.rows, more[name].rows)
    assert (member.init_key == more[name].init_key).all()
    assert (member.order_key == more[name].order_key).all()


def test_only_the_initialisation_varies(
    samples: Samples, blobs: np.ndarray
) -> None:
  settings = _settings(heads__random_vary='initialisation')
  found = _clusters(settings, blobs, samples)
  heads = retraining.members(settings, samples, found, 0)
  first, second = (heads[HeadName('random', 1, r)] for r in (0, 1))
  np.testing.assert_array_equal(first.rows, second.rows)
  assert (first.init_key != second.init_key).any()


def test_folds_draw_other_numbers(samples: Samples, blobs: np.ndarray) -> None:
  settings = _settings()
  found = _clusters(settings, blobs, samples)
  first, second = (
      retraining.members(settings, samples, found, fold) for fold in (0, 1)
  )
  for name, member in first.items():
    assert (member.init_key != second[name].init_key).any()
    assert (member.order_key != second[name].order_key).any()
    same = np.array_equal(member.rows, second[name].rows)
    assert same == (name.kind != 'random')


def test_how_heads_are_trained() -> None:
  settings = _settings(
      heads__epochs=7, heads__patience=4, heads__batch_size=5,
      heads__learning_rate=0.5, heads__monitor='val_loss', heads__l2=0.25,
  )  # pyformat: disable
  assert stages.training(settings) == ensemble.Training(
      7, 4, 5, 0.5, 'val_loss', 0.25
  )


def test_validation_is_the_test_set_where_there_is_none(
    samples: Samples,
) -> None:
  np.testing.assert_array_equal(
      stages.validation(samples), np.arange(60, 90)
  )
  split = samples.split.astype('<U10')
  split[55:60] = 'validation'
  own = dataclasses.replace(samples, split=split)
  np.testing.assert_array_equal(stages.validation(own), np.arange(55, 60))
