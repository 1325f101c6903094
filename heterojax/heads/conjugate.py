"""Logistic heads of the same rows and many labels, which share factors.

Newton's method factors a Hessian for each head. Heads of the same rows differ
by little more than the curvatures of their losses, and here one factor serves
all: each head goes along conjugate directions from it (Polak and Ribiere's, no
share below 0), each as far as the objective falls. A step costs products with
what is shared, which of many heads are products of matrices. The first factor
is of the curvatures at no coefficients; the following ones are of the heads'
mean curvatures where they have arrived.

`_begun`, `_promise` and `_along` are for one head, `optima` for a batch. Axes:
B heads, m rows, D features.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from heterojax.heads import line
from heterojax.heads.newton import Form
from heterojax.heads.newton import Point
from heterojax.heads.newton import curvature_at
from heterojax.heads.newton import log_odds

# Steps with the first factor, which is far from the Hessians, and with others.
_FIRST_STEPS, _STEPS = 6, 30
_MOST_FACTORS = 5
_LONGEST = 64.0
# As `newton` has them, of a step's length. What is not yet at the second one is
# left to Newton's method.
_TIGHT, _LOOSE = 1e-10, 1e-8
_LEAST = 1e-4
# Of the steepest direction's, below which a direction is not gone along.
_STEEP = 0.1


class _State(NamedTuple):
  """Where a head stands."""

  point: Point
  direction: Point  # That it came along.
  before: tuple[jax.Array, jax.Array]  # Coefficients and residuals, before.
  promise: jax.Array  # Before; inf where the next direction is the first.
  squared: jax.Array  # |w|^2 / C
  steps: jax.Array  # int32, with this factor.


def optima(
  form: Form, size: int, sign: jax.Array, weight: jax.Array, c: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Where the objectives of `newton.optimum` are least.

  Args:
    form: of the rows, for this C.
    size: D.
    sign: `[B, m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]` of the rows in the loss; 0 for padding.
    c: `[]` C.

  Returns:
    Coefficients `[B, D]`, intercepts `[B]`, whether each head converged, and
    how many factors they shared. A head of one class is that of `newton.path`.
  """
  rows = jnp.sum(weight)

  def negligible(state: _State, share: float) -> jax.Array:
    return state.promise <= share**2 * (state.squared + _LEAST**2 * rows)

  def far(state: _State) -> jax.Array:
    return ~negligible(state, _TIGHT)

  def head(
    factored: Any, most: jax.Array, state: _State, sign: jax.Array
  ) -> _State:
    state = state._replace(
      promise=jnp.where(far(state), jnp.inf, state.promise), steps=jnp.int32(0)
    )
    return jax.lax.while_loop(
      lambda state: far(state) & (state.steps < most),
      lambda state: _along(form, factored, state, sign, weight, c),
      state,
    )

  def going(carried: tuple[_State, jax.Array, jax.Array]) -> jax.Array:
    states, _, factors = carried
    return jnp.any(jax.vmap(far)(states)) & (factors < _MOST_FACTORS)

  def factor(
    carried: tuple[_State, jax.Array, jax.Array],
  ) -> tuple[_State, jax.Array, jax.Array]:
    states, curvature, factors = carried
    most = jnp.where(factors == 0, _FIRST_STEPS, _STEPS)
    factored = form.factor(curvature)
    states = jax.vmap(head, (None, None, 0, 0))(factored, most, states, sign)
    found = jnp.mean(curvature_at(states.point.logits, weight[None]), axis=0)
    return states, found, factors + 1

  states = jax.vmap(lambda sign: _begun(size, sign, weight))(sign)
  curvature = jnp.mean(curvature_at(states.point.logits, weight[None]), axis=0)
  states, _, factors = jax.lax.while_loop(
    going, factor, (states, curvature, jnp.int32(0))
  )
  point, close = states.point, negligible(states, _LOOSE)
  return point.coef, point.intercept, close, factors


def _begun(size: int, sign: jax.Array, weight: jax.Array) -> _State:
  """No coefficients, and the log odds of the classes."""
  odds, single = log_odds(sign, weight)
  none, nowhere = jnp.zeros(size), jnp.zeros(len(sign))
  return _State(
    point=Point(none, odds, nowhere + odds),
    direction=Point(none, jnp.zeros(()), nowhere),
    before=(none, nowhere),
    promise=jnp.where(single, 0.0, jnp.inf),
    squared=jnp.zeros(()),
    steps=jnp.int32(0),
  )


def _along(
  form: Form,
  factored: Any,
  state: _State,
  sign: jax.Array,
  weight: jax.Array,
  c: jax.Array,
) -> _State:
  """The state after one step."""
  point = state.point
  residual = weight * sign * jax.nn.sigmoid(-sign * point.logits)

  def slopes(
    along: Point, coef: jax.Array, residual: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """How the loss falls, and the penalty rises, where one goes along."""
    own = along.logits - along.intercept
    return residual @ along.logits, form.product(coef, along.coef, own) / c

  def promise(along: Point, coef: jax.Array, residual: jax.Array) -> jax.Array:
    falls, rises = slopes(along, coef, residual)
    return falls - rises

  down = Point(*form.direction(factored, point.coef, residual))
  now = promise(down, point.coef, residual)
  share = jnp.maximum(now - promise(down, *state.before), 0) / state.promise
  along = jax.tree.map(
    lambda new, old: new + share * old, down, state.direction
  )
  steep = promise(along, point.coef, residual) > _STEEP * now
  along = jax.tree.map(
    lambda one, other: jnp.where(steep, one, other), along, down
  )
  own = along.logits - along.intercept
  second = jnp.maximum(form.product(along.coef, along.coef, own) / c, 0)
  bends = curvature_at(point.logits, weight) @ along.logits**2
  falls, rises = slopes(along, point.coef, residual)
  # Where a parabola would be least the search for the least begins.
  first = (falls - rises) / jnp.maximum(
    bends + second, jnp.finfo(bends.dtype).tiny
  )
  length = first * line.least(
    point.logits,
    first * along.logits,
    sign,
    weight,
    (first * (rises - falls), first * rises, first**2 * second),
    jnp.full((), _LONGEST, weight.dtype),
  )
  return _State(
    point=jax.tree.map(lambda old, by: old + length * by, point, along),
    direction=along,
    before=(point.coef, residual),
    promise=now,
    squared=state.squared + length * (2 * rises + length * second),
    steps=state.steps + 1,
  )
