"""What all clusterings do: check what they are given, keep the best restart."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster import weights as weights_lib


def check(
  x: jax.typing.ArrayLike,
  k: int,
  init: object,
  key: jax.Array | None,
  weights: jax.typing.ArrayLike | None,
  n_init: int,
  max_iter: int,
) -> None:
  """Raises ValueError for what no clustering of the package can be given."""
  shape = np.shape(x)
  if len(shape) != 2 or not 1 <= k <= shape[0]:
    raise ValueError(f'k is {k}, but must be from 1 to N for x {list(shape)}')
  if (init is None) == (key is None):
    raise ValueError('give either init or key')
  if n_init < 1 or max_iter < 1:
    raise ValueError(f'n_init {n_init} and max_iter {max_iter} must be >= 1')
  if weights is not None:
    weights_lib.check(weights, shape[:1])


def finite(run: Any, loss: jax.Array, x: jax.Array) -> Any:
  """The run; raises ValueError where `x` is not finite, which its loss tells.

  Looking at the data first would take a tenth of the time of some runs.
  """
  if not np.isfinite(loss) and not np.isfinite(np.asarray(x)).all():
    raise ValueError('x has values that are not finite')
  return run


def best(
  restart: Callable[[jax.Array], Any],
  keys: jax.Array,
  loss: Callable[[Any], jax.Array],
) -> Any:
  """The result of the restart whose loss is lowest; the first of equals."""
  # A vmap would keep every restart running until the slowest stops.
  runs = jax.lax.map(restart, keys)
  chosen = jnp.argmin(loss(runs))
  return jax.tree.map(lambda leaf: leaf[chosen], runs)
