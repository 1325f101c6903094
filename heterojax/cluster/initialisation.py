"""Starting centers: greedy k-means++.

Axes: N samples, D features, K clusters, L candidates.
"""

import jax
import jax.numpy as jnp
import numpy as np


def plus_plus(
    key: jax.Array,
    x: jax.Array,
    k: int,
    weights: jax.Array | None = None,
    own_k: jax.Array | None = None,
) -> jax.Array:
  """Greedy k-means++ (`sklearn.cluster.kmeans_plusplus`): `[K, D]` centers.

  Of 2 + int(ln K) candidates drawn with probability proportional to the squared
  distance (times the weight), the one that lowers the sum of distances most
  becomes the center.

  Args:
    key: PRNG key; it is consumed.
    x: `[N, D]`.
    k: number of centers.
    weights: `[N]`; rows of weight 0 are never drawn.
    own_k: `[]` int, from 1 to K: so many centers, those of this number alone.

  Returns:
    K rows of `x`; zeros after `own_k` of them.
  """
  own_k = k if own_k is None else own_k
  num_candidates = 2 + int(np.log(k))
  is_candidate = jnp.arange(num_candidates) < 2 + jnp.floor(jnp.log(own_k))
  norms = jnp.sum(x**2, axis=1)

  def distances(points: jax.Array) -> jax.Array:
    """Squared distances `[L, N]` from `[L, D]`."""
    return jnp.maximum(
        jnp.sum(points**2, axis=1)[:, None]
        - 2 * jnp.matmul(points, x.T, precision='highest')
        + norms[None],
        0,
    )

  first_key, rest_key = jax.random.split(key)
  if weights is None:
    first = jax.random.randint(first_key, (), 0, x.shape[0])
  else:
    first = _draw(jax.random.uniform(first_key, (1,), x.dtype), weights)[0]
  centers = jnp.zeros((k, x.shape[1]), x.dtype).at[0].set(x[first])
  closest = distances(x[first][None])[0]

  def add(c: int, carry: tuple[jax.Array, jax.Array]):
    centers, closest = carry
    draws = jax.random.uniform(
        jax.random.fold_in(rest_key, c), (num_candidates,), x.dtype
    )
    if weights is None:
      cumulative = jnp.cumsum(closest)
      candidates = jnp.searchsorted(cumulative, draws * cumulative[-1])
      candidates = jnp.clip(candidates, 0, x.shape[0] - 1)
    else:
      mass = weights * closest
      # There may be fewer places than centers.
      mass = jnp.where(jnp.any(mass > 0), mass, weights)
      candidates = _draw(draws, mass)
    new = jnp.minimum(closest[None], distances(x[candidates]))
    cost = new if weights is None else weights[None] * new
    total = jnp.where(is_candidate, jnp.sum(cost, axis=1), jnp.inf)
    chosen = jnp.argmin(total)
    return centers.at[c].set(x[candidates[chosen]]), new[chosen]

  return jax.lax.fori_loop(1, own_k, add, (centers, closest))[0]


def _draw(draws: jax.Array, mass: jax.Array) -> jax.Array:
  """Rows `[L]` with probability in proportion to their mass, never of none."""
  # A parallel sum need not stay level where nothing is added to it.
  cumulative = jnp.where(mass > 0, jnp.cumsum(mass), 0)
  # 1 - [0, 1) is never 0, which a row without mass would reach.
  targets = (1 - draws) * jnp.max(cumulative)
  return jnp.argmax(cumulative[None] >= targets[:, None], axis=1)
