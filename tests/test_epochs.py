"""What one epoch of many heads does around its steps, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.heads import epochs
from heterojax.heads import head
from heterojax.heads import regressor
from heterojax.heads import softmax


def _params(task: str) -> head.Params | softmax.Params:
  """Of two heads: 1e3, or 1e3, 1 and -1, times the one feature."""
  kernels = jnp.array([1e3, 1.0, -1.0])
  if task == 'multiclass':
    return softmax.Params(
      jnp.tile(kernels[:, None], (2, 1, 1)), jnp.zeros((2, 3))
    )
  return head.Params(jnp.full((2, 1), kernels[0]), jnp.zeros(2))


@pytest.mark.parametrize('monitor', ['val_loss', 'val_accuracy'])
@pytest.mark.parametrize('task', ['classification', 'multiclass'])
def test_one_output_that_is_no_number_is_worse_than_any(
  task: str, monitor: str
) -> None:
  """Unless the head does not look at its row."""
  params = _params(task)
  x = jnp.array([[0.0], [2.0], [1e38], [2.0]])  # 1e38 times 1e3 overflows.
  y = jnp.array([1, 0, 1, 0])
  data = epochs.Data(x, y, x, y if task == 'multiclass' else y.astype(x.dtype))
  heads = epochs.Heads(
    rows=np.zeros((2, 4), np.int32),
    sizes=np.full(2, 4, np.int32),
    order_keys=np.zeros((2, 2), np.uint32),
    counts=jnp.array([[1.0, 2.0, 0.0, 0.0], [1.0, 2.0, 1.0, 0.0]]),
  )
  training = epochs.Training(2, 1, 2, 0.1, monitor, task=task, widths=(3,))
  start = epochs.start(params, data, heads, training)
  _, values = epochs._validated(
    start, (params, start.opt_state), data, heads, jnp.int32(0), training
  )
  # Logits 0 and 2000 of class 1, or three of 0 and then 2000 of class 0.
  if task == 'multiclass':
    loss, right = np.log(3) / 3, 2 / 3
  else:
    loss, right = (np.log(2) + 2 * 2000) / 3, 0.0
  want = -loss if monitor == 'val_loss' else right
  np.testing.assert_allclose(values, [want, -np.inf], rtol=1e-6)


def test_a_head_is_scaled_by_its_own_rows() -> None:
  """Without those that fill up its list."""
  x = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
  y = np.arange(5, dtype=np.float32) ** 2
  one = regressor.init(jax.random.key(0), 2, ())
  params = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), one)
  rows = np.array([[0, 1, 2, 4, 4, 4], [3, 3, 1, 0, 2, 4]], np.int32)
  sizes = np.array([3, 6], np.int32)
  heads = epochs.Heads(rows, sizes, np.zeros((2, 2)), np.ones((2, 5)))
  data = epochs.Data(*map(jnp.asarray, (x, y, x, y)))
  training = epochs.Training(1, 1, 2, 0.1, 'val_loss', task='regression')
  found = epochs.start(params, data, heads, training).params
  for h in range(2):
    own = rows[h, : sizes[h]]
    np.testing.assert_allclose(
      found.feature_mean[h], x[own].mean(axis=0), rtol=1e-5
    )
    assert float(found.mean[h]) == pytest.approx(y[own].mean())


def test_outputs_of_rows_have_rows_first() -> None:
  x = jnp.array([[0.0], [2.0], [1.0]])
  params = head.Params(jnp.array([[1.0], [3.0]]), jnp.array([0.0, 1.0]))
  found = epochs.outputs_of_rows(params, x, task='classification')
  np.testing.assert_allclose(found, [[0, 1], [2, 7], [1, 4]])
  params = _params('multiclass')
  found = epochs.outputs_of_rows(params, x, task='multiclass')
  want = np.outer(x, [1e3, 1, -1])[:, None].repeat(2, axis=1)
  np.testing.assert_allclose(found, want)
