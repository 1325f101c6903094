"""Softmax heads against automatic derivatives and a plain NumPy loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from heterojax.compute import platform
from heterojax.heads import ensemble
from heterojax.heads import head
from heterojax.heads import softmax
from heterojax.heads.order import batch_order

_N, _V, _D, _C = 30, 12, 3, 4


def _data() -> tuple[np.ndarray, np.ndarray]:
  numbers = np.random.default_rng(0)
  x = numbers.normal(size=(_N + _V, _D)).astype(np.float32)
  logits = 3 * x @ numbers.normal(size=(_D, _C))
  return x, np.argmax(logits + numbers.gumbel(size=logits.shape), axis=1)


def test_gradients_are_those_of_the_losses() -> None:
  x, y = map(jnp.asarray, _data())
  params = softmax.init(jax.random.key(3), _D, (_C,))
  params = params._replace(bias=jnp.arange(_C) / 7)
  batch = jnp.array([4, 4, 9, 0])
  weights = jnp.array([0.25, 0.5, 0.25, 0.0])

  def objective(params: softmax.Params) -> jax.Array:
    outputs = softmax.logits(params, x[batch])
    own = jnp.sum(softmax.losses(params, outputs, y[batch]) * weights)
    return own + 0.01 * head.penalty(params)

  ours = softmax.gradients(params, x, batch, y[batch], weights, 0.01)
  for a, b in zip(ours, jax.grad(objective)(params), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_losses_and_answers_by_hand() -> None:
  outputs = jnp.array([[0.0, np.log(3.0)], [2.0, 2.0]])
  y = jnp.array([1.0, 0.0])
  none = softmax.Params(jnp.zeros((2, 1)), jnp.zeros(2))
  np.testing.assert_allclose(
    softmax.losses(none, outputs, y), [-np.log(0.75), np.log(2)], rtol=1e-6
  )
  # Of equally likely classes the first.
  assert softmax.right(outputs, y).tolist() == [True, True]
  assert softmax.right(outputs, 1 - y).tolist() == [False, False]


def test_initial_weights_are_glorots() -> None:
  params = softmax.init(jax.random.key(0), 500, (_C,))
  limit = np.sqrt(6 / (500 + _C))
  assert params.kernel.shape == (_C, 500) and not params.bias.any()
  assert 0.99 * limit < np.abs(params.kernel).max() <= limit


def _by_hand(x, y, member, training) -> tuple[np.ndarray, list[float]]:
  """One head trained by a loop; its best logits and monitored values."""
  params = jax.tree.map(
    lambda leaf: np.asarray(leaf, np.float64),
    softmax.init(member.init_key, _D, (_C,)),
  )
  kernel, bias = params
  m = [np.zeros_like(kernel), np.zeros_like(bias)]
  v = [np.zeros_like(kernel), np.zeros_like(bias)]
  step, size, values, best, kept = 0, len(member.rows), [], -1.0, None
  length = -(-size // training.batch_size) * training.batch_size
  for epoch in range(training.epochs):
    order = np.asarray(batch_order(member.order_key, epoch, size, length))
    for start in range(0, size, training.batch_size):
      batch = member.rows[
        order[start : start + training.batch_size][: size - start]
      ]
      p = special.softmax(x[batch] @ kernel.T + bias, axis=1)
      residual = (p - np.eye(_C)[y[batch]]) / len(batch)
      step += 1
      rate = training.learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
      for i, g in enumerate((residual.T @ x[batch], residual.sum(axis=0))):
        m[i] = 0.9 * m[i] + 0.1 * g
        v[i] = 0.999 * v[i] + 0.001 * g**2
        (kernel, bias)[i][...] -= rate * m[i] / (np.sqrt(v[i]) + 1e-7)
    logits = x @ kernel.T + bias
    own = member.validation
    values.append(float(np.mean(np.argmax(logits[own], axis=1) == y[own])))
    if values[-1] > best:
      best, kept = values[-1], logits
  return kept, values


@pytest.mark.slow
@pytest.mark.trains
@pytest.mark.parametrize('made_for', ['cpu', 'cuda'])
def test_heads_are_trained_as_in_a_loop(made_for: platform.Platform) -> None:
  x, y = _data()
  members = [
    ensemble.Member(
      np.random.default_rng(h).choice(_N, size),
      _N + np.arange(_V),
      jax.random.key(h),
      jax.random.key(10 + h),
    )
    for h, size in enumerate((9, 30, 17))
  ]
  training = ensemble.Training(
    epochs=4,
    patience=9,
    batch_size=8,
    learning_rate=0.05,
    task='multiclass',
    widths=(_C,),
  )
  with platform.use(made_for):
    heads = ensemble.train(x, y, members, training)
    found = np.asarray(ensemble.predict(heads.params, x))
  assert found.shape == (3, _N + _V, _C)
  for h, member in enumerate(members):
    logits, values = _by_hand(x, y, member, training)
    np.testing.assert_allclose(heads.history[:, h], values, atol=1e-6)
    np.testing.assert_allclose(found[h], logits, atol=1e-4)
