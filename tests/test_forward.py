"""Tests of batches through a network."""

from collections.abc import Callable
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from heterojax.compute import forward
from heterojax.compute import platform

_SHAPE = (6, 16, 16, 3)


def _images() -> np.ndarray:
  return np.random.default_rng(0).normal(size=_SHAPE).astype(np.float32)


def _kernel() -> jax.Array:
  rng = np.random.default_rng(1)
  return jnp.asarray(rng.normal(size=(16 * 16 * 3, 50)), jnp.float32)


def _network(kernel: jax.Array, x: jax.Array) -> jax.Array:
  return jnp.tanh(x.reshape(x.shape[0], -1) @ kernel)


def _run(images: np.ndarray, count: int) -> np.ndarray:
  with forward.batches(_network, _kernel(), images.shape) as run:
    return run(images, count)()


def test_rows_are_those_of_numpy() -> None:
  flat = _images().reshape(6, -1).astype(np.float64)
  want = np.tanh(flat @ np.asarray(_kernel(), np.float64))
  np.testing.assert_allclose(_run(_images(), 6), want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('count', [1, 2, 3, 5])
def test_what_only_fills_the_batch_is_left_out(count: int) -> None:
  got = _run(_images(), count)
  assert got.shape == (count, 50)
  np.testing.assert_array_equal(got, _run(_images(), 6)[:count])


@pytest.mark.parametrize('batch_size', [1, 5])
def test_a_batch_that_is_not_even(batch_size: int) -> None:
  images = _images()[:batch_size]
  got = _run(images, batch_size)
  np.testing.assert_allclose(
    got, _run(_images(), 6)[:batch_size], rtol=1e-4, atol=1e-5
  )


def test_bits_do_not_depend_on_the_number_of_cores(
  use_cores: Callable[[int], None],
) -> None:
  got = []
  for number in (1, 3):
    use_cores(number)
    got.append(_run(_images(), 6))
  np.testing.assert_array_equal(*got)


@pytest.mark.parametrize('number', [1, 2, 16])
@pytest.mark.parametrize('batch_size', [1, 8, 32])
def test_no_core_lacks_images(
  number: int, batch_size: int, use_cores: Callable[[int], None]
) -> None:
  """While one batch is waited for, the others have enough for all cores."""
  use_cores(number)
  images = forward.ahead(batch_size) * batch_size
  assert images >= number * 8
  assert images < number * 8 + 2 * batch_size


def test_batches_may_be_begun_before_others_are_waited_for() -> None:
  images = _images()
  with forward.batches(_network, _kernel(), _SHAPE) as run:
    first, second = run(images, 6), run(images[::-1].copy(), 6)
    np.testing.assert_array_equal(second()[::-1], first())


def test_a_failure_reaches_who_waits() -> None:
  def fails(params: Any, x: jax.Array) -> jax.Array:
    def refuse(unused):
      raise OSError('no such luck')

    return jax.pure_callback(refuse, x, x) * params

  with forward.batches(fails, jnp.ones(()), _SHAPE) as run:
    wait = run(_images(), 6)
    with pytest.raises(Exception, match='no such luck'):
      wait()


def test_images_go_to_the_device_once_and_come_back_once(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """A transfer each way and a call per part of a batch, and none of fillers."""
  images = np.random.default_rng(0).normal(size=(32, 4, 4, 3))
  images = images.astype(np.float32)
  put, calls, read = [], [], []
  device_put, programs, asarray = jax.device_put, forward.programs, np.asarray

  def counted_put(x: Any, *place: Any) -> jax.Array:
    if isinstance(x, np.ndarray):  # The weights are on a device before.
      put.append(x)
    return device_put(x, *place)

  def counted_programs(*arguments: Any) -> Any:

    def counted(compiled: jax.stages.Compiled) -> Any:
      def call(params: Any, x: jax.Array) -> jax.Array:
        calls.append(x.shape)
        return compiled(params, x)

      return call

    return [counted(compiled) for compiled in programs(*arguments)]

  def counted_asarray(x: Any, *options: Any) -> np.ndarray:
    if isinstance(x, jax.Array):
      read.append(x.shape)
    return asarray(x, *options)

  kernel = jnp.ones((4 * 4 * 3, 2))
  monkeypatch.setattr(jax, 'device_put', counted_put)
  monkeypatch.setattr(forward, 'programs', counted_programs)
  monkeypatch.setattr(np, 'asarray', counted_asarray)
  with (
    forward.batches(_network, kernel, images.shape) as run,
    jax.transfer_guard_host_to_device('disallow'),
  ):
    got = run(images, 30)()
  assert got.shape == (30, 2)
  assert calls == [(8, 4, 4, 3)] * 4 and read == [(8, 2)] * 4
  sent = sorted(np.concatenate(put).ravel().tolist())
  assert sent == sorted(images.ravel().tolist())
  # Eight that only fill the batch are not sent.
  put.clear()
  with forward.batches(_network, kernel, images.shape) as run:
    run(images, 24)()
  assert sum(len(x) for x in put) == 24


_TWO_DEVICES = """
import os, sys
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=2'
sys.path.insert(0, sys.argv[1])
import heterojax, jax, numpy as np
import test_forward
assert len(jax.local_devices()) == 2
np.save(sys.argv[2], test_forward._run(test_forward._images(), 5))
"""


@pytest.mark.medium
def test_two_devices_give_the_same_rows(tmp_path, request) -> None:
  out = tmp_path / 'rows.npy'
  subprocess.run(
    [sys.executable, '-c', _TWO_DEVICES, str(request.path.parent), str(out)],
    check=True,
  )
  np.testing.assert_allclose(
    np.load(out), _run(_images(), 5), rtol=1e-4, atol=1e-5
  )


@pytest.mark.parametrize(('asked', 'want'), [(0, 256), (48, 48)])
def test_a_batch_by_itself_is_that_of_the_devices(
  asked: int, want: int
) -> None:
  assert forward.batch_size(asked) == (asked or 32)
  with platform.use('cuda'):
    assert forward.batch_size(asked) == want


def test_bytes_give_the_rows_of_numbers_for_a_quarter_of_the_traffic(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """What goes to an accelerator, seen where it is handed over."""
  rng = np.random.default_rng(0)
  whole = rng.integers(0, 256, _SHAPE, dtype=np.uint8)

  def network(kernel: jax.Array, x: jax.Array) -> jax.Array:
    return _network(kernel, x.astype(np.float32) / 255)

  put, original = [], jax.device_put

  def counted(x: Any, *place: Any) -> jax.Array:
    if isinstance(x, np.ndarray):
      put.append((x.dtype, x.nbytes))
    return original(x, *place)

  monkeypatch.setattr(jax, 'device_put', counted)
  with platform.use('tpu'):
    assert forward.takes_bytes()
    with forward.batches(network, _kernel(), _SHAPE) as run:
      rows = [run(x, 5)() for x in (whole, whole.astype(np.float32), whole)]
  number = 6 * 16 * 16 * 3
  assert put == [('uint8', number), ('float32', 4 * number), ('uint8', number)]
  np.testing.assert_array_equal(rows[0], rows[1])
  np.testing.assert_array_equal(rows[0], rows[2])
  assert not forward.takes_bytes()
