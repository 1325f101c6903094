"""How far a step goes, beside the same search number by number."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from heterojax.compute import platform
from heterojax.heads import line

_M = 6
_least = jax.jit(line.least)


def _task(seed: int, stretch: float):
  """Logits, step, signs, weights; a penalty's slope and curvature."""
  stream = np.random.default_rng(seed)
  logits, delta = stream.standard_normal((2, _M))
  sign = np.where(np.arange(_M) % 2, 1.0, -1.0)
  weight = stream.uniform(0.5, 2, _M)
  # Downhill, as a step is.
  delta *= np.sign(
    np.sum(sign * weight * delta * special.expit(-sign * logits))
  )
  return logits, stretch * delta, sign, weight, 0.1 * stretch, 0.3 * stretch**2


def _slope(task, length: float) -> tuple[float, float]:
  """Of the objective along the step, and how fast it changes."""
  logits, delta, sign, weight, first, second = task
  wrong = special.expit(-sign * (logits + length * delta))
  return (
    first + length * second - np.sum(sign * weight * wrong * delta),
    second + np.sum(weight * wrong * (1 - wrong) * delta**2),
  )


def _searched(task, longest: float) -> float:
  begin = abs(_slope(task, 0)[0])
  low, high, length, following = 0.0, longest, 0.0, 1.0
  slope = -np.inf
  for _ in range(30):
    if abs(slope) <= 0.1 * begin or low >= high:
      break
    length = following
    slope, bends = _slope(task, length)
    low, high = (length, high) if slope < 0 else (low, length)
    newton = length - slope / bends
    following = newton if low < newton < high else (low + high) / 2
  return length if abs(slope) <= 0.1 * begin else low


def _found(task, longest: float) -> float:
  logits, delta, sign, weight, first, second = map(jnp.asarray, task)
  slopes = jnp.asarray(_slope(task, 0)[0]), first, second
  found = _least(logits, delta, sign, weight, slopes, jnp.asarray(longest))
  return float(found)


def _objective(task, length: float) -> float:
  logits, delta, sign, weight, first, second = task
  losses = weight * np.logaddexp(0, -sign * (logits + length * delta))
  return np.sum(losses) + first * length + second * length**2 / 2


@pytest.mark.parametrize('stretch', [0.1, 1, 5, 40, 300])
@pytest.mark.parametrize('longest', [1.0, 4.0])
def test_a_step_is_that_of_a_loop(stretch: float, longest: float) -> None:
  with platform.float64():
    for seed in range(8):
      task = _task(seed, stretch)
      found = _found(task, longest)
      assert found == pytest.approx(_searched(task, longest), rel=1e-12)
      assert _objective(task, found) < _objective(task, 0)


def test_a_step_that_changes_nothing_is_taken() -> None:
  logits, delta, sign, weight, _, _ = _task(0, 1)
  with platform.float64():
    assert _found((logits, 0 * delta, sign, weight, 0.0, 0.0), 4.0) == 1
