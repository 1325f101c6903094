"""Bootstraps of many samples, one after the other, against all at once."""

import importlib

import jax
import numpy as np
import pytest

from heterojax import rng
from heterojax.configs import features
from heterojax.studies import registry
from heterojax.studies import stability

# The package gives its function the name of the module.
kmeans = importlib.import_module('heterojax.cluster.kmeans')


def test_one_bootstrap_after_the_other_finds_the_same(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  config = features.get_config('')
  config.cluster.k = 3
  settings = registry.settings(config.to_dict())
  numbers = np.random.default_rng(0)
  labels = np.arange(60) % 3
  z = (numbers.normal(size=(60, 4)) + 2 * labels[:, None]).astype(np.float32)
  drawn = stability.draws(np.arange(60), 60, np.random.default_rng(1))
  keys = jax.random.split(
    rng.key(0, rng.Purpose.BOOTSTRAP), stability.BOOTSTRAPS
  )
  together = stability.jaccard(settings, z, labels, drawn, keys)
  monkeypatch.setattr(stability, '_AT_ONCE', 100)
  apart = stability.jaccard(settings, z, labels, drawn, keys)
  np.testing.assert_array_equal(together, apart)
  assert 0.3 < together.min() < 1


@pytest.mark.medium
def test_many_samples_are_clustered_without_a_copy_of_them() -> None:
  x = jax.ShapeDtypeStruct((700_000, 50), np.float32)
  weights = jax.ShapeDtypeStruct(x.shape[:1], np.float32)
  keys = jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 2))
  fit = kmeans._fit.lower(x, weights, keys, 1e-4, 4, 300).compile()
  assert fit.memory_analysis().temp_size_in_bytes < x.size * x.dtype.itemsize
