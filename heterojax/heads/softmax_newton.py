"""Newton's method for one logistic regression of several classes.

Conjugate gradients solve for the step; they are preconditioned by the blocks of
the Hessian that are of one class each. `multinomial` vmaps it.

Axes: m rows, D features, C classes, K values of C.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy import linalg

from heterojax.cluster import members

_MOST_STEPS, _MOST_CONJUGATE, _MOST_HALVINGS = 60, 200, 30
# Of the objective, what a step promises where it is the last, and where a head
# passes for converged.
_TIGHT, _LOOSE = 1e-22, 1e-12
# Of the residual, to which a step is solved for.
_SOLVED = 1e-2
_LEAST_DESCENT = 1e-4


class Rows(NamedTuple):
  """One head's rows; weights are 0 for padding."""

  z: jax.Array  # [m, D + 1], the last column is 1.
  y: jax.Array  # [m] int
  weight: jax.Array  # [m]


class _State(NamedTuple):
  """Where a head stands."""

  w: jax.Array  # [C, D + 1], the last column is the intercepts.
  promise: jax.Array  # Of the last step, over the objective.
  steps: jax.Array  # int32


def path(
  rows: Rows, cs: jax.Array, classes: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """One head for each C: `[K, C, D + 1]`, steps and whether it converged."""
  counts = members.add(rows.weight, rows.y, classes)
  there = counts > 0
  log = jnp.log(counts + 0.5)
  mean = jnp.sum(jnp.where(there, log, 0)) / jnp.sum(there)
  start = jnp.zeros((classes, rows.z.shape[1]))
  start = start.at[:, -1].set(jnp.where(there, log - mean, 0))

  def step(w: jax.Array, c: jax.Array):
    state = jax.lax.while_loop(
      lambda s: (s.promise > _TIGHT) & (s.steps < _MOST_STEPS),
      lambda s: _newton(rows, there, c, s),
      _State(w, jnp.asarray(jnp.inf), jnp.int32(0)),
    )
    w = _apart(state.w, there)
    intercept = jnp.where(there, w[:, -1], jnp.log(0.5) - mean)
    done = state.promise <= _LOOSE
    return w, (w.at[:, -1].set(intercept), state.steps, done)

  return jax.lax.scan(step, start, cs)[1]


def _apart(w: jax.Array, there: jax.Array) -> jax.Array:
  """`[C, D + 1]` less what all classes have alike, which is without effect."""
  own = there[:, None]
  alike = jnp.sum(jnp.where(own, w, 0), axis=0, keepdims=True)
  return jnp.where(own, w - alike / jnp.sum(there), 0)


def _newton(
  rows: Rows, there: jax.Array, c: jax.Array, state: _State
) -> _State:
  """One step, as long as the objective falls by it."""
  z, classes = rows.z, len(there)
  penalised = jnp.ones((1, z.shape[1])).at[0, -1].set(0)

  def log_probabilities(w: jax.Array) -> jax.Array:
    logits = jnp.where(there[:, None], w @ z.T, -jnp.inf)
    return jax.nn.log_softmax(logits, axis=0)

  def objective(w: jax.Array) -> jax.Array:
    own = jnp.take_along_axis(log_probabilities(w), rows.y[None], axis=0)[0]
    loss = -jnp.sum(jnp.where(rows.weight > 0, own * rows.weight, 0))
    return c * loss + jnp.sum(penalised * w**2) / 2

  p = jnp.exp(log_probabilities(state.w))
  weight = c * rows.weight[None]
  residual = (p - jax.nn.one_hot(rows.y, classes, axis=0)) * weight
  gradient = _apart(residual @ z + penalised * state.w, there)

  def product(s: jax.Array) -> jax.Array:
    along = s @ z.T
    along -= jnp.sum(p * along, axis=0, keepdims=True)
    return (p * along * weight) @ z + penalised * s

  def block(own: jax.Array) -> jax.Array:
    hessian = (z.T * (own[None] * (1 - own[None]) * weight)) @ z
    hessian += jnp.diag(penalised[0])
    # Of a class without rows the intercept stays where it is.
    free = jnp.maximum(hessian[-1, -1], 1e-10)
    return linalg.cholesky(hessian.at[-1, -1].set(free * (1 + 1e-8)), True)

  # One after another: all together need as much memory as all Hessians.
  factors = jax.lax.map(block, p)
  solve = jax.vmap(lambda factor, s: linalg.cho_solve((factor, True), s))

  def precondition(s: jax.Array) -> jax.Array:
    # Rounding must not lead to where nothing bends.
    return _apart(solve(factors, s), there)

  w = _conjugate(product, precondition, gradient)
  promise = jnp.sum(w * gradient)
  now = objective(state.w)
  # What rounding adds is no rise.
  slack = 1e-14 * jnp.abs(now)

  def too_long(carried: tuple[jax.Array, jax.Array]) -> jax.Array:
    length, halvings = carried
    falls = objective(state.w - length * w) <= (
      now - _LEAST_DESCENT * length * promise + slack
    )
    return ~falls & (halvings < _MOST_HALVINGS)

  length, _ = jax.lax.while_loop(
    too_long,
    lambda carried: (carried[0] / 2, carried[1] + 1),
    (jnp.ones(()), jnp.int32(0)),
  )
  return _State(state.w - length * w, promise / (now + 1e-300), state.steps + 1)


def _conjugate(product, precondition, target: jax.Array) -> jax.Array:
  """Solves for what `product` makes the target of, to `_SOLVED`."""

  class Carry(NamedTuple):
    x: jax.Array
    residual: jax.Array
    direction: jax.Array
    size: jax.Array
    steps: jax.Array

  z = precondition(target)
  first = jnp.sum(target * z)
  # The nearer the optimum, the closer, so that steps gain digits.
  enough = first * jnp.minimum(_SOLVED, first) ** 2

  def step(s: Carry) -> Carry:
    q = product(s.direction)
    length = s.size / jnp.sum(s.direction * q)
    residual = s.residual - length * q
    z = precondition(residual)
    size = jnp.sum(residual * z)
    return Carry(
      s.x + length * s.direction,
      residual,
      z + size / s.size * s.direction,
      size,
      s.steps + 1,
    )

  return jax.lax.while_loop(
    lambda s: (s.size > enough) & (s.steps < _MOST_CONJUGATE),
    step,
    Carry(jnp.zeros_like(target), target, z, first, jnp.int32(0)),
  ).x
