"""The order of a head's rows."""

import hypothesis
from hypothesis import strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.heads import order as order_lib
from heterojax.heads.order import batch_order

_order = jax.jit(batch_order, static_argnums=3)


@pytest.mark.medium
@hypothesis.settings(deadline=None, max_examples=60)
@hypothesis.given(
  seed=st.integers(0, 2**31 - 1),
  epoch=st.integers(0, 1000),
  size=st.integers(1, 64),
)
def test_batch_order(seed: int, epoch: int, size: int) -> None:
  key = jax.random.key(seed)
  order = np.asarray(_order(key, epoch, size, 64))
  np.testing.assert_array_equal(np.sort(order[:size]), np.arange(size))
  np.testing.assert_array_equal(order[size:], np.arange(size, 64))
  # However long the longest list of another head is.
  longer = np.asarray(_order(key, epoch, size, 104))
  np.testing.assert_array_equal(longer[:size], order[:size])


@pytest.mark.medium
def test_batch_order_of_every_size() -> None:
  """Powers of two, and one less and more, are where digits may be wrong."""
  key, sizes = jax.random.key(0), np.arange(1, 131)
  orders = jax.vmap(lambda size: batch_order(key, 0, size, 130))(sizes)
  for size, order in zip(sizes, np.asarray(orders)):
    np.testing.assert_array_equal(np.sort(order[:size]), np.arange(size))
    np.testing.assert_array_equal(order[size:], np.arange(size, 130))


@pytest.mark.slow
def test_batch_order_does_not_depend_on_x64() -> None:
  key = jax.random.key(3)
  want = batch_order(key, 1, 5, 8)
  assert want.dtype == np.int32
  with jax.enable_x64(True):
    got = batch_order(key, 1, 5, 8)
  assert got.dtype == np.int32
  np.testing.assert_array_equal(got, want)


@pytest.mark.medium
def test_batch_orders_differ() -> None:
  keys = [jax.random.fold_in(jax.random.key(2), i) for i in range(8)]
  orders = [
    tuple(np.asarray(_order(key, epoch, 40, 64))[:40])
    for key in keys
    for epoch in range(8)
  ]
  assert len(set(orders)) == 64
  # Every position is as likely to come first.
  firsts = jax.vmap(lambda e: _order(keys[0], e, 4, 8)[0])(jnp.arange(4000))
  counts = np.bincount(firsts, minlength=4)
  assert np.all(np.abs(counts - 1000) < 4 * (4000 * 3 / 16) ** 0.5)


@pytest.mark.medium
@pytest.mark.parametrize('most', [2, 16, 63, 2**16])
def test_long_lists_are_shuffled_twice(
  most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Rows that draw the same digits are not left in their order."""
  key = jax.random.key(0)
  once = [np.asarray(batch_order(key, 0, n, 64)) for n in (16, 64)]
  monkeypatch.setattr(order_lib, '_MOST_AT_ONCE', most)
  for n, before in zip((16, 64), once):
    got = np.asarray(batch_order(key, 0, n, 64))
    np.testing.assert_array_equal(np.sort(got[:n]), np.arange(n))
    np.testing.assert_array_equal(got[n:], np.arange(n, 64))
    assert np.array_equal(got, before) == (n <= most)


@pytest.mark.medium
def test_a_list_that_is_shuffled_twice_has_any_order(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """One order that is applied to itself never moves all in one circle."""
  monkeypatch.setattr(order_lib, '_MOST_AT_ONCE', 3)
  orders = jax.vmap(lambda e: batch_order(jax.random.key(3), e, 4, 4))(
    jnp.arange(500)
  )
  assert len(set(map(tuple, orders.tolist()))) == 24


@pytest.mark.medium
def test_a_long_list_has_no_order_left() -> None:
  n = 2**17
  order = np.asarray(_order(jax.random.key(1), 0, n, n))
  np.testing.assert_array_equal(np.sort(order), np.arange(n))
  # Half of all neighbours ascend; sorted runs would give more.
  rising = np.mean(np.diff(order) > 0)
  assert abs(rising - 0.5) < 5 * (1 / 12 / n) ** 0.5
