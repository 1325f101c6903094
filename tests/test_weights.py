"""Weights of samples: what is refused, and means by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.cluster import forms
from heterojax.cluster import weights as weights_lib


@pytest.mark.parametrize('wrong', [-1.0, np.nan, np.inf])
def test_one_wrong_weight_is_refused(wrong: float) -> None:
  with pytest.raises(ValueError, match='finite and not negative'):
    weights_lib.check([1.0, wrong, 2.0], (3,))


def test_each_row_of_weights_needs_a_positive_one() -> None:
  with pytest.raises(ValueError, match='must be positive'):
    weights_lib.check([[1.0, 0.0], [0.0, 0.0]], (2, 2))
  weights_lib.check([[1.0, 0.0], [0.0, 2.0]], (2, 2))


@pytest.mark.parametrize('by_blocks', [False, True])
def test_the_mean_is_numpys(
  by_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(forms, 'are_by_blocks', lambda x: by_blocks)
  numbers = np.random.default_rng(0)
  x = numbers.normal(size=(50, 3)).astype(np.float32)
  weights = numbers.integers(0, 4, 50).astype(np.float32)
  found = weights_lib.weighted_mean(jnp.asarray(x), jnp.asarray(weights))
  expected = np.average(x, axis=0, weights=weights)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
