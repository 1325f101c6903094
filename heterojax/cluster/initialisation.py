"""Starting centers: greedy k-means++.

Axes: N samples, K clusters, L candidates.
"""

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.cluster.points import Points


def plus_plus(
  key: jax.Array,
  points: Points,
  k: int,
  weights: jax.Array | None = None,
  own_k: int | jax.Array | None = None,
) -> jax.Array:
  """Greedy k-means++ (`sklearn.cluster.kmeans_plusplus`): samples as centers.

  Of 2 + int(ln K) candidates drawn with probability proportional to the squared
  distance (times the weight), the one that lowers the sum of distances most
  becomes the center.

  Args:
    key: PRNG key; it is consumed.
    points: N samples.
    k: number of centers.
    weights: `[N]`; rows of weight 0 are never drawn.
    own_k: `[]` int, from 1 to K: so many centers, those of this number alone.

  Returns:
    `[K]` int32 numbers of samples; 0 after `own_k` of them.
  """
  existing = k if own_k is None else own_k
  num_candidates = 2 + int(np.log(k))
  is_candidate = jnp.arange(num_candidates) < 2 + jnp.floor(jnp.log(existing))
  norms = points.norms()
  n, dtype = len(norms), norms.dtype

  def distances(rows: jax.Array) -> jax.Array:
    """Squared distances `[L, N]` from `[L]`."""
    return jnp.maximum(
      norms[rows][:, None] - 2 * points.dots(rows) + norms[None], 0
    )

  first_key, rest_key = jax.random.split(key)
  if weights is None:
    first = jax.random.randint(first_key, (), 0, n)
  else:
    first = _draw(jax.random.uniform(first_key, (1,), dtype), weights)[0]
  chosen = jnp.zeros(k, jnp.int32).at[0].set(first.astype(jnp.int32))
  closest = distances(first[None])[0]

  def add(c: int, carry: tuple[jax.Array, jax.Array]):
    chosen, closest = carry
    draws = jax.random.uniform(
      jax.random.fold_in(rest_key, c), (num_candidates,), dtype
    )
    if weights is None:
      cumulative = jnp.cumsum(closest)
      candidates = jnp.searchsorted(cumulative, draws * cumulative[-1])
      candidates = jnp.clip(candidates, 0, n - 1)
    else:
      mass = weights * closest
      # There may be fewer places than centers.
      mass = jnp.where(jnp.any(mass > 0), mass, weights)
      candidates = _draw(draws, mass)
    new = jnp.minimum(closest[None], distances(candidates))
    cost = new if weights is None else weights[None] * new
    total = jnp.where(is_candidate, jnp.sum(cost, axis=1), jnp.inf)
    best = jnp.argmin(total)
    row = candidates[best].astype(jnp.int32)
    return chosen.at[c].set(row), new[best]

  return jax.lax.fori_loop(1, existing, add, (chosen, closest))[0]


def _draw(draws: jax.Array, mass: jax.Array) -> jax.Array:
  """Rows `[L]` with probability in proportion to their mass, never of none."""
  # A parallel sum need not stay level where nothing is added to it.
  cumulative = jnp.where(mass > 0, jnp.cumsum(mass), 0)
  # 1 - [0, 1) is never 0, which a row without mass would reach.
  targets = (1 - draws) * jnp.max(cumulative)
  return jnp.argmax(cumulative[None] >= targets[:, None], axis=1)
