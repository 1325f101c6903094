"""Bootstraps of many samples, one after the other, against all at once."""

import jax
import numpy as np
import pytest

from heterojax import rng
from heterojax.configs import features
from heterojax.studies import registry
from heterojax.studies import stability


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
  assert np.all((together > 0.3) & (together < 1))
