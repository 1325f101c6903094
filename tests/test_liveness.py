"""What a program needs at once: values that can be counted by hand.

That real networks need what XLA plans for an H100 and a v5e is shown in
`tests/accelerators`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest

from heterojax.compute import liveness
from heterojax.compute import platform

_X = jax.ShapeDtypeStruct((256, 128), jnp.float32)
_SIZE = 256 * 128 * 4


def _peak(
  function: Callable[..., jax.Array], made_for: platform.Platform = 'cuda'
) -> liveness.Peak:
  return liveness.peak(jax.make_jaxpr(function)(_X), made_for)


def _sorted(x: jax.Array) -> jax.Array:
  """An operation that can be done neither by element nor in place."""
  return jax.lax.sort(x)


def test_a_chain_of_products_holds_two_at_a_time() -> None:
  """The result is not counted, and what is read by nobody any more is gone."""

  def chain(times: int) -> Callable[[jax.Array], jax.Array]:
    def function(x: jax.Array) -> jax.Array:
      for _ in range(times):
        x = _sorted(x)
      return x

    return function

  assert _peak(chain(1)).temporary == 0
  assert _peak(chain(2)).temporary == _SIZE
  assert _peak(chain(3)).temporary == 2 * _SIZE
  assert _peak(chain(9)).temporary == 2 * _SIZE
  assert _peak(chain(9)).arguments == _SIZE
  # Each is written and read, and the argument is read.
  assert _peak(chain(9)).moved == (1 + 2 * 9) * _SIZE


def test_what_is_kept_for_later_is_there_meanwhile() -> None:
  def function(x: jax.Array) -> jax.Array:
    first = _sorted(x)
    last = _sorted(_sorted(_sorted(first)))
    return first.T @ last

  assert _peak(function).temporary == 3 * _SIZE


def test_what_is_computed_by_element_takes_no_room() -> None:
  def function(x: jax.Array) -> jax.Array:
    return _sorted(_sorted(jnp.maximum(2 * x + 1, 0)) - 3)

  assert _peak(function).temporary == _SIZE


def test_a_gpu_has_a_kernel_of_its_own_after_a_convolution() -> None:
  """And no room for the sigmoid's result but in place of something else."""

  def function(x: jax.Array) -> jax.Array:
    x = _sorted(x)
    return _sorted(x * jax.nn.sigmoid(x))

  assert _peak(function, 'tpu').temporary == _SIZE
  assert _peak(function, 'cuda').temporary == 2 * _SIZE


def test_tpus_pad_to_tiles() -> None:
  narrow = jax.ShapeDtypeStruct((4, 32, 32, 3), jnp.float32)
  traced = jax.make_jaxpr(lambda x: _sorted(_sorted(x)))(narrow)
  found = liveness.peak(traced, 'tpu')
  assert found.arguments == 4 * 32 * 32 * 3 * 4
  # 3 channels, or 4 images, take 128 lanes.
  assert found.temporary == 3 * 32 * 32 * 128 * 4


def test_called_programs_are_looked_into_and_loops_add_what_they_need() -> None:
  inner = jax.jit(lambda x: _sorted(_sorted(x)))
  assert _peak(lambda x: _sorted(inner(x))).temporary == 2 * _SIZE

  def loop(x: jax.Array) -> jax.Array:
    return jax.lax.fori_loop(0, 5, lambda _, y: _sorted(_sorted(y)), x)

  assert _peak(loop).temporary == pytest.approx(_SIZE, abs=64)
