"""One logistic head at its optimum, by Newton's method.

It minimises `sum_i weight_i loss_i + |w|^2 / (2 C)`, which is scikit-learn's
objective over C; the intercept is free. `primal` solves for the D coefficients
w, `dual` for a in `w = X' a`: with `K = X X'` the logits are `K a` and the
intercept, and nothing of length D is touched.

Two things save factors of the Hessian, which are most of the work. A step ends
where the objective is about the least along it, because Newton's own is several
times too short while classes are being separated. And a factor serves as long
as steps shrink well (Shamanskii 1967): a step costs m^2, and a factor m^3.

Everything here is for one head; `batches` vmaps it. Axes: m rows, D features,
K values of C.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from heterojax.heads import line

# A head has converged when a step has at most the first share of the length of
# w; or the second one, where rounding lets no step be shorter.
_TIGHT, _LOOSE = 1e-10, 1e-6
# What w may be taken for at least, by the logits that it gives.
_LEAST = 1e-4
_MOST_FACTORS = 50
_MOST_STEPS = 30
# A factor serves while a step has at most this share of the one before.
_SHRINKS = 0.3
_LONGEST = 64.0
# What is more than a step's own length.
_LONG = 1.5


class Form(NamedTuple):
  """The algebra of w or of a, for one C.

  Attributes:
    factor: of the curvatures `[m]` of the losses, the Hessian.
    direction: of a factor, the coefficients and the residuals `[m]`: steps of
      the coefficients, of the intercept and of the logits.
    logits: `[m]` of the coefficients, without the intercept.
    product: of two vectors w, the first as coefficients, the other as them and
      as its logits without the intercept.
  """

  factor: Callable[[jax.Array], Any]
  direction: Callable[
    [Any, jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array]
  ]
  logits: Callable[[jax.Array], jax.Array]
  product: Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


class Point(NamedTuple):
  """Coefficients `[D]` or `[m]`, intercept `[]` and logits `[m]`."""

  coef: jax.Array
  intercept: jax.Array
  logits: jax.Array


class Optima(NamedTuple):
  """What one head has for K values of C.

  Attributes:
    coef: `[K, D]` of a primal head, `[K, m]` of a dual one.
    intercept: `[K]`.
    factors: `[K]` int32, how often the Hessian was factored.
    converged: `[K]` bool.
  """

  coef: jax.Array
  intercept: jax.Array
  factors: jax.Array
  converged: jax.Array


class _State(NamedTuple):
  """Where the iteration stands; all but the point are `[]`."""

  point: Point
  squared: jax.Array  # |w|^2 / C
  moved: jax.Array  # By the last step, squared, in the metric of the Hessian.
  shrunk: jax.Array  # That over the one of the step before.
  longest: jax.Array  # How often its own length the next step may have.
  factors: jax.Array  # int32
  steps: jax.Array  # int32, with the last factor.


def dual(k: jax.Array, c: jax.Array) -> Form:
  """In the inner products K of the rows, `[m, m]` and symmetric.

  With curvatures W and residuals r a step solves

    da / C + W (K da + db) = r - a / C    and    sum(a + da) = 0

  by way of `I + C W^1/2 K W^1/2`, no eigenvalue of which is below 1, whatever
  the rows (Rasmussen and Williams 2006, section 3.4.3), and db by elimination.
  """

  def factor(curvature: jax.Array) -> Any:
    root = jnp.sqrt(c * curvature)
    # The transpose, which is the same, has its columns first, as in LAPACK.
    lower = _cholesky(jnp.eye(len(k)) + root[:, None] * k.T * root[None])
    ones = root * _solve(lower, root)
    return lower, root, ones, jnp.sum(ones)

  def direction(
    factored: Any, coef: jax.Array, residual: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    lower, root, ones, total = factored
    rest = residual - coef / c
    step = c * (rest - root * _solve(lower, root * (k @ rest)))
    # The sum is zero but for rounding, which would add up.
    intercept = (jnp.sum(step) + jnp.sum(coef)) / total
    step -= intercept * ones
    return step, intercept, k @ step + intercept

  return Form(
    factor, direction, k.__matmul__, lambda one, other, logits: one @ logits
  )


def primal(x: jax.Array, c: jax.Array) -> Form:
  """In the features `[m, D]`.

  Less their mean by curvature they leave the intercept a step of its own, and
  nothing cancels where features are far from 0.
  """

  def factor(curvature: jax.Array) -> Any:
    total = jnp.maximum(jnp.sum(curvature), jnp.finfo(x.dtype).tiny)
    mean = curvature @ x / total
    centred = x - mean[None]
    products = (centred * (c * curvature)[:, None]).T @ centred
    return _cholesky(jnp.eye(x.shape[1]) + products), mean, total

  def direction(
    factored: Any, coef: jax.Array, residual: jax.Array
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    lower, mean, total = factored
    rest = jnp.sum(residual)
    step = _solve(lower, c * (residual @ x - rest * mean) - coef)
    intercept = rest / total - mean @ step
    return step, intercept, x @ step + intercept

  return Form(
    factor, direction, x.__matmul__, lambda one, other, logits: one @ other
  )


def _cholesky(matrix: jax.Array) -> jax.Array:
  return jax.lax.linalg.cholesky(matrix, symmetrize_input=False)


def _solve(lower: jax.Array, right: jax.Array) -> jax.Array:
  half = jax.lax.linalg.triangular_solve(
    lower, right[:, None], left_side=True, lower=True
  )
  return jax.lax.linalg.triangular_solve(
    lower, half, left_side=True, lower=True, transpose_a=True
  )[:, 0]


def optimum(
  form: Form,
  sign: jax.Array,
  weight: jax.Array,
  c: jax.Array,
  start: Point,
  settled: jax.Array,
) -> tuple[Point, jax.Array, jax.Array]:
  """Where the objective is least.

  Args:
    form: `dual` or `primal` of the rows, for this C.
    sign: `[m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]` of the rows in the loss; 0 for padding.
    c: `[]` C.
    start: to begin from; the coefficients of a dual one have sum 0.
    settled: `[]` bool, whether to stay there: of one class there is no optimum.

  Returns:
    That point, how often the Hessian was factored, and whether it converged.
  """
  rows = jnp.sum(weight)

  def negligible(state: _State, share: float) -> jax.Array:
    return state.moved <= share**2 * (state.squared + _LEAST**2 * rows)

  def going(state: _State) -> jax.Array:
    # Where rounding is all that moves, a new factor does not help.
    stays = (state.steps == 1) & (state.shrunk > _SHRINKS**2)
    return ~(negligible(state, _TIGHT) | stays & negligible(state, _LOOSE))

  def serves(state: _State) -> jax.Array:
    shrinks = (state.shrunk < _SHRINKS**2) & (state.steps < _MOST_STEPS)
    return (state.steps == 0) | going(state) & shrinks

  def newton(state: _State) -> _State:
    # Anew: what steps added up has been rounded where it was largest.
    coef, intercept, _ = state.point
    point = Point(coef, intercept, form.logits(coef) + intercept)
    curvature = curvature_at(point.logits, weight)
    factored = form.factor(curvature)

    def step(state: _State) -> _State:
      point = state.point
      residual = weight * sign * jax.nn.sigmoid(-sign * point.logits)
      delta = Point(*form.direction(factored, point.coef, residual))
      own = delta.logits - delta.intercept
      first = form.product(point.coef, delta.coef, own) / c
      second = jnp.maximum(form.product(delta.coef, delta.coef, own) / c, 0)
      falls, bends = jnp.sum(
        jnp.stack([residual, curvature * delta.logits]) * delta.logits[None], 1
      )
      slopes = first - falls, first, second
      length = line.least(
        point.logits, delta.logits, sign, weight, slopes, state.longest
      )
      moved, long = bends + second, length > _LONG
      return _State(
        point=jax.tree.map(lambda old, by: old + length * by, point, delta),
        squared=state.squared + length * (2 * first + length * second),
        moved=moved,
        shrunk=jnp.where(long, 0, moved / state.moved),
        # What of a lies beside the span of the rows has no part in the logits,
        # by which the length was found. A step of its own length puts it right;
        # long ones, one after the other, would throw it ever further.
        longest=jnp.where(long, 1.0, _LONGEST),
        factors=state.factors,
        steps=state.steps + 1,
      )

    begun = state._replace(
      point=point, factors=state.factors + 1, steps=jnp.int32(0)
    )
    return jax.lax.while_loop(serves, step, begun)

  own = start.logits - start.intercept
  state = _State(
    point=start,
    squared=form.product(start.coef, start.coef, own) / c,
    moved=jnp.where(settled, 0.0, jnp.inf),
    shrunk=jnp.ones(()),
    longest=jnp.full((), _LONGEST, weight.dtype),
    factors=jnp.int32(0),
    steps=jnp.int32(0),
  )
  state = jax.lax.while_loop(
    lambda state: going(state) & (state.factors < _MOST_FACTORS), newton, state
  )
  return state.point, state.factors, negligible(state, _LOOSE)


def curvature_at(logits: jax.Array, weight: jax.Array) -> jax.Array:
  """`[m]` curvatures of the losses at the logits `[m]`."""
  return weight * jax.nn.sigmoid(logits) * jax.nn.sigmoid(-logits)


def log_odds(sign: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
  """The intercept `[]` of a head without coefficients.

  Args:
    sign: `[m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]` of the rows; 0 for padding.

  Returns:
    The log odds of the weights of the classes, one half added to each where one
    has none; and whether that is so.
  """
  counts = jnp.stack([weight * (sign > 0), weight * (sign < 0)])
  counts = jnp.sum(counts, axis=1)
  single = jnp.any(counts == 0)
  counts += jnp.where(single, 0.5, 0.0)
  return jnp.log(counts[0] / counts[1]), single


def path(
  form: Callable[[jax.Array], Form],
  size: int,
  sign: jax.Array,
  weight: jax.Array,
  cs: jax.Array,
  shares: jax.Array,
) -> Optima:
  """The optima for some values of C, each from those before it.

  Args:
    form: of a C.
    size: number of coefficients.
    sign: `[m]`, 1 for class 1 and -1 for class 0.
    weight: `[m]` of the rows; 0 for padding.
    cs: `[K]` the values.
    shares: `[K, 3]` of the three optima before, latest first, in what to start
      from; of the first one none.

  Returns:
    The optima. Where one class alone has weight there is none: coefficients are
    0, and the intercept is `log_odds`.
  """
  odds, single = log_odds(sign, weight)
  first = jnp.concatenate([jnp.zeros(size), jnp.full(1 + len(sign), odds)])

  def following(
    before: jax.Array, now: tuple[jax.Array, jax.Array]
  ) -> tuple[jax.Array, Optima]:
    c, share = now
    start = share @ before
    start = Point(start[:size], start[size], start[size + 1 :])
    found, factors, converged = optimum(form(c), sign, weight, c, start, single)
    coef, intercept, logits = found
    latest = jnp.concatenate([coef, intercept[None], logits])
    before = jnp.concatenate([latest[None], before[:2]])
    return before, Optima(coef, intercept, factors, converged)

  # Of the first value all three are this one: the sum of the shares is 1.
  return jax.lax.scan(following, jnp.stack([first] * 3), (cs, shares))[1]
