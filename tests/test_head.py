"""One head: gradient, Adam, initial weights and early stopping."""

import math

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from heterojax.heads import head

pytestmark = pytest.mark.trains


def _problem(rows: int, dim: int) -> tuple[head.Params, jax.Array, jax.Array]:
  rng = np.random.default_rng([rows, dim])
  params = head.Params(
    jnp.asarray(rng.normal(size=dim)), jnp.asarray(rng.normal())
  )
  x = jnp.asarray(rng.normal(size=(rows, dim)) * 2)
  y = jnp.asarray(rng.integers(2, size=rows), x.dtype)
  return params, x, y


def _loss(
  params: head.Params, x: jax.Array, y: jax.Array, mask: jax.Array
) -> jax.Array:
  losses = optax.sigmoid_binary_cross_entropy(head.logits(params, x), y)
  return jnp.sum(losses * mask) / jnp.sum(mask)


def _gradient_of(
  params: head.Params,
  x: jax.Array,
  y: jax.Array,
  mask: jax.Array,
  l2: float = 0.0,
) -> head.Params:
  """Of all rows of `x`, from a matrix that has others in between."""
  places = 3 * jnp.arange(len(x)) + 1
  matrix = jnp.full((3 * len(x) + 1, x.shape[1]), 7.0, x.dtype)
  matrix = matrix.at[places].set(x)
  return head.gradients(params, matrix, places, y, mask / jnp.sum(mask), l2)


@pytest.mark.slow
@pytest.mark.parametrize(
  'mask', [[1] * 8, [1] * 5 + [0] * 3, [1] + [0] * 7, [0, 1] * 4]
)
def test_gradient_is_that_of_the_masked_mean(mask: list[int]) -> None:
  with jax.enable_x64(True):
    params, x, y = _problem(8, 5)
    mask = jnp.asarray(mask, x.dtype)
    got = _gradient_of(params, x, y, mask)
    want = jax.grad(_loss)(params, x, y, mask)
    np.testing.assert_allclose(got.kernel, want.kernel, rtol=1e-12)
    np.testing.assert_allclose(got.bias, want.bias, rtol=1e-12)
    # What is masked might as well not be there.
    kept = np.flatnonzero(mask)
    alone = _gradient_of(params, x[kept], y[kept], jnp.ones(len(kept)))
    np.testing.assert_allclose(got.kernel, alone.kernel, rtol=1e-12)
    np.testing.assert_allclose(got.bias, alone.bias, rtol=1e-12)


@pytest.mark.medium
@pytest.mark.parametrize('l2', [1e-3, 0.7])
def test_gradient_of_the_penalty_leaves_the_bias_free(l2: float) -> None:
  def loss(params, x, y, mask):
    return _loss(params, x, y, mask) + l2 * jnp.sum(params.kernel**2)

  with jax.enable_x64(True):
    params, x, y = _problem(8, 5)
    mask = jnp.asarray([1.0] * 6 + [0.0] * 2)
    got = _gradient_of(params, x, y, mask, l2)
    want = jax.grad(loss)(params, x, y, mask)
    np.testing.assert_allclose(got.kernel, want.kernel, rtol=1e-12)
    np.testing.assert_allclose(got.bias, want.bias, rtol=1e-12)
    free = _gradient_of(params, x, y, mask)
    assert np.abs(got.kernel - free.kernel).min() > 0
    assert float(got.bias) == float(free.bias)


def test_gradient_is_the_finite_difference() -> None:
  with jax.enable_x64(True):
    params, x, y = _problem(8, 5)
    mask = jnp.asarray([1.0] * 6 + [0.0] * 2)
    got = _gradient_of(params, x, y, mask)
    for i in range(5):
      step = jnp.zeros(5).at[i].set(1e-6)
      up = _loss(params._replace(kernel=params.kernel + step), x, y, mask)
      down = _loss(params._replace(kernel=params.kernel - step), x, y, mask)
      assert float(got.kernel[i]) == pytest.approx(
        float(up - down) / 2e-6, rel=1e-7
      )
    up = _loss(params._replace(bias=params.bias + 1e-6), x, y, mask)
    down = _loss(params._replace(bias=params.bias - 1e-6), x, y, mask)
    assert float(got.bias) == pytest.approx(float(up - down) / 2e-6, rel=1e-7)


def _weighted(params, x, y, weights):
  """The loss that a head descends; weights have the sum 1, 0 for padding."""
  return jnp.sum(head.losses(params, head.logits(params, x), y) * weights)


@pytest.mark.parametrize('mask', [[1] * 8, [1] * 5 + [0] * 3, [0, 1] * 4])
def test_loss_is_the_masked_mean(mask: list[int]) -> None:
  with jax.enable_x64(True):
    params, x, y = _problem(8, 5)
    mask = jnp.asarray(mask, x.dtype)
    weights = mask / jnp.sum(mask)
    logits = np.asarray(x) @ np.asarray(params.kernel) + float(params.bias)
    p = 1 / (1 + np.exp(-logits))
    want = -np.log(np.where(y == 1, p, 1 - p))[np.asarray(mask) == 1].mean()
    assert float(_weighted(params, x, y, weights)) == pytest.approx(
      want, rel=1e-12
    )
    # Its derivative is the closed form, that of its penalty as well.
    slopes = jax.grad(_weighted)(params, x, y, weights)
    got = _gradient_of(params, x, y, mask, 0.3)
    penalty = jax.grad(head.penalty)(params)
    np.testing.assert_allclose(
      got.kernel, slopes.kernel + 0.3 * penalty.kernel, rtol=1e-12
    )
    np.testing.assert_allclose(got.bias, slopes.bias, rtol=1e-12)
    assert float(penalty.bias) == 0
    assert float(_weighted(params, x, y, jnp.zeros(8))) == 0


@pytest.mark.medium
def test_gradient_of_a_confidently_wrong_row_is_full() -> None:
  # A clipped probability would have none.
  params = head.Params(jnp.array([100.0]), jnp.array(0.0))
  one = jnp.ones(1)
  got = _gradient_of(params, jnp.array([[2.0]]), jnp.zeros(1), one)
  assert float(got.kernel[0]) == 2.0
  got = _gradient_of(params, jnp.array([[-2.0]]), one, one)
  assert float(got.kernel[0]) == 2.0


@pytest.mark.medium
def test_gradient_without_rows_is_zero() -> None:
  params, x, y = _problem(8, 5)
  got = head.gradients(params, x, jnp.arange(8), y, jnp.zeros(8))
  np.testing.assert_array_equal(got.kernel, 0)
  assert float(got.bias) == 0


@pytest.mark.medium
@pytest.mark.parametrize('dim', [7, 8, 9, 16, 23])
def test_gradient_does_not_depend_on_how_rows_are_read(
  dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  with jax.enable_x64(True):
    params, x, y = _problem(8, dim)
    want = jax.grad(_loss)(params, x, y, jnp.ones(8))
    monkeypatch.setattr(head, '_COLUMNS', 8)
    monkeypatch.setattr(head, '_STRANDS', 4)
    got = _gradient_of(params, x, y, jnp.ones(8))
    np.testing.assert_allclose(got.kernel, want.kernel, rtol=1e-12)
    np.testing.assert_allclose(got.bias, want.bias, rtol=1e-12)


def _adam_steps(
  transformation: optax.GradientTransformation, gradients: np.ndarray
) -> np.ndarray:
  """Positions after each step, from zero."""

  @jax.jit
  def run(gradients: jax.Array) -> jax.Array:
    def step(carry, gradient):
      position, state = carry
      updates, state = transformation.update(gradient, state)
      position = optax.apply_updates(position, updates)
      return (position, state), position

    start = jnp.zeros_like(gradients[0])
    return jax.lax.scan(step, (start, transformation.init(start)), gradients)[1]

  return np.asarray(run(jnp.asarray(gradients)))


def _keras_adam(gradients: np.ndarray, learning_rate: float) -> np.ndarray:
  """`keras.optimizers.Adam.update_step`, in NumPy float64."""
  position, m, v = (np.zeros(gradients.shape[1]) for _ in range(3))
  positions = []
  for t, gradient in enumerate(gradients.astype(np.float64), start=1):
    alpha = learning_rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    m += (gradient - m) * (1 - 0.9)
    v += (gradient**2 - v) * (1 - 0.999)
    position = position - m * alpha / (np.sqrt(v) + 1e-7)
    positions.append(position)
  return np.array(positions)


def _gradients() -> np.ndarray:
  """50 steps of gradients of every size, below and above epsilon."""
  rng = np.random.default_rng(0)
  return rng.normal(size=(50, 12)) * 10.0 ** -np.arange(12)


@pytest.mark.medium
def test_adam_is_keras_adam() -> None:
  want = _keras_adam(_gradients(), 1e-2)
  with jax.enable_x64(True):
    got = _adam_steps(head.keras_adam(1e-2), _gradients())
  np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-15)
  got = _adam_steps(head.keras_adam(1e-2), _gradients().astype(np.float32))
  assert got.dtype == np.float32
  # 1 - 0.999^t in float32 is right to 1e-5 at first, in Keras as well.
  np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * abs(want).max())


def test_adam_has_epsilon_where_keras_has_it() -> None:
  # One gradient of 1e-6. Keras: sqrt(v) = 3.2e-8 against epsilon 1e-7; optax:
  # the corrected sqrt(v) = 1e-6 against the same epsilon.
  gradients = np.full((300, 1), 1e-6, np.float32)
  ours = _adam_steps(head.keras_adam(1.0), gradients)[:, 0]
  others = _adam_steps(optax.adam(1.0, eps=1e-7), gradients)[:, 0]
  root = 1e-6 * 0.001**0.5
  assert -ours[0] == pytest.approx(root / (root + 1e-7), rel=1e-4)
  assert -others[0] == pytest.approx(1e-6 / (1e-6 + 1e-7), rel=1e-4)
  np.testing.assert_allclose(ours, _keras_adam(gradients, 1.0)[:, 0], rtol=2e-5)
  assert np.all(np.abs(ours / others - 1)[:50] > 0.3)


def test_initial_weights_are_glorot_uniform() -> None:
  dim = 20000
  limit = (6 / (dim + 1)) ** 0.5
  params = head.init(jax.random.key(0), dim)
  kernel = np.asarray(params.kernel, np.float64)
  assert kernel.shape == (dim,) and params.bias.shape == ()
  assert float(params.bias) == 0
  assert 0.999 * limit < np.abs(kernel).max() <= limit * (1 + 1e-6)
  # Four standard errors of a uniform distribution's mean and variance.
  assert abs(kernel.mean()) < 4 * limit / (3 * dim) ** 0.5
  assert np.var(kernel) == pytest.approx(
    2 / (dim + 1), rel=4 * (0.8 / dim) ** 0.5
  )
  other = head.init(jax.random.key(1), dim)
  assert not np.array_equal(other.kernel, params.kernel)
  # Of one feature the limit is the root of 3.
  key = jax.random.key(2)
  (own,) = np.asarray(head.init(key, 1).kernel)
  (share,) = np.asarray(jax.random.uniform(key, (1,)))
  assert own == pytest.approx(3**0.5 * (2 * share - 1), rel=1e-5)


def test_an_answer_is_right_above_or_below_the_threshold() -> None:
  outputs, y = np.array([-0.1, 0.0, 0.1, 2.0]), np.array([0.0, 1.0])
  found = [head.right(jnp.asarray(outputs), of).tolist() for of in y]
  assert found == [[True, True, False, False], [False, False, True, True]]


def _keras_stopping(values: list[float], patience: int) -> dict[str, float]:
  """Keras' EarlyStopping and ModelCheckpoint(save_best_only), mode 'max'.

  Written from their `on_epoch_end`, with min_delta 0 and no baseline.
  """
  best = saved = None
  wait = best_epoch = saved_epoch = 0
  epoch = stopped = -1
  for epoch, value in enumerate(values):
    if saved is None or value > saved:
      saved, saved_epoch = value, epoch
    wait += 1
    if best is None or value > best:
      best, best_epoch, wait = value, epoch, 0
      continue
    if wait >= patience and epoch > 0:
      stopped = epoch
      break
  assert saved_epoch == best_epoch
  return {
    'best': best,
    'best_epoch': best_epoch,
    'stopped': stopped >= 0,
    'epochs': epoch + 1,
    'wait': wait,
  }


_update = jax.jit(head.update_early_stopping)


def _params(epoch: int) -> head.Params:
  """Weights that tell their epoch."""
  return head.Params(
    jnp.full(3, epoch, jnp.float32), jnp.asarray(epoch, jnp.float32)
  )


def _our_stopping(
  values: list[float], patience: int
) -> tuple[dict[str, float], head.EarlyStopping]:
  state = head.start_early_stopping(_params(-1))
  epochs = len(values)
  for epoch, value in enumerate(values):
    was_stopped = bool(state.stopped)
    old, state = (
      state,
      _update(
        state, jnp.float32(value), _params(epoch), jnp.int32(epoch), patience
      ),
    )
    if was_stopped:  # Nothing of it moves, whatever it is shown.
      jax.tree.map(np.testing.assert_array_equal, state, old)
    elif state.stopped:
      epochs = epoch + 1
  return {
    'best': float(state.best),
    'best_epoch': int(state.best_epoch),
    'stopped': bool(state.stopped),
    'epochs': epochs,
    'wait': int(state.wait),
  }, state


# Few values, so that ties are frequent.
_VALUES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, -2.0])
_LATER = st.one_of(_VALUES, st.just(math.nan), st.just(-math.inf))


@pytest.mark.medium
@hypothesis.settings(deadline=None, max_examples=200)
@hypothesis.given(
  first=_VALUES,
  later=st.lists(_LATER, max_size=9),
  patience=st.integers(0, 4),
)
@hypothesis.example(first=0.0, later=[0.25, 0.5, 0.75, 0.75], patience=0)
@hypothesis.example(first=0.5, later=[0.5, 0.75, 0.75, 0.75], patience=2)
@hypothesis.example(first=0.5, later=[math.nan, 0.75, 1.0], patience=1)
def test_early_stopping_is_keras(
  first: float, later: list[float], patience: int
) -> None:
  values = [first, *later]
  got, state = _our_stopping(values, patience)
  assert got == _keras_stopping(values, patience)
  jax.tree.map(
    np.testing.assert_array_equal,
    state.best_params,
    _params(got['best_epoch']),
  )


@pytest.mark.parametrize('value', [math.nan, -math.inf])
def test_a_head_that_diverges_at_once_has_no_best(value: float) -> None:
  # Unlike Keras, whose best would then be NaN: the initial weights remain.
  got, state = _our_stopping([value] * 6, 3)
  assert got['best'] == -math.inf
  assert got['stopped'] and got['epochs'] == 3 and got['best_epoch'] == 0
  # Without patience it has a second epoch all the same.
  assert _our_stopping([value] * 6, 0)[0]['epochs'] == 2
  jax.tree.map(np.testing.assert_array_equal, state.best_params, _params(-1))


@pytest.mark.medium
@pytest.mark.parametrize('x64', [False, True])
def test_state_keeps_its_types(x64: bool) -> None:
  # Otherwise the second epoch would be compiled anew.
  with jax.enable_x64(x64):
    params = head.init(jax.random.key(0), 3)
    state = head.start_early_stopping(params)
    after = head.update_early_stopping(
      state, jnp.float32(1), params, jnp.int32(0), 3
    )
    types = [
      [(leaf.dtype, leaf.weak_type) for leaf in jax.tree.leaves(s)]
      for s in (state, after)
    ]
    assert types[0] == types[1]
