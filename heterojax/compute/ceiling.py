"""What this machine's arithmetic can do: the rate of large matrix products.

It is measured and not a data sheet's, so that it knows the clock, the
instructions and the other work of the moment. Products run as the extraction of
features does: one on each device, or on one CPU device a separate product
on every core, all at the same time.
"""

from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
import time

import jax
import jax.numpy as jnp

from heterojax.compute import cores
from heterojax.compute import division
from heterojax.compute import forward

_SECONDS = 0.1
# Sides of the factors; on CPU, those of 1024 and 2048 gave a lower rate.
_SIDE = {'cpu': 512}
_SIDE_OF_ACCELERATOR = 4096


def flops_per_second(dtype: str) -> float:
  """Rate of matrix products on all devices together.

  Args:
    dtype: of the factors, 'float32' or 'bfloat16'.

  Returns:
    Floating-point operations per second, two for each product of numbers: the
    best of the turns that fit into a fraction of a second.
  """
  side = _SIDE.get(jax.local_devices()[0].platform, _SIDE_OF_ACCELERATOR)
  open_turns = _by_devices if forward.by_devices() else _by_cores
  with open_turns(side, dtype) as (turn, products):
    turn()  # The first one allocates.
    best, end = float('inf'), time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
      start = time.perf_counter()
      turn()
      best = min(best, time.perf_counter() - start)
  return products * 2 * side**3 / best


# What does products on all devices and waits for them, and how many it does.
_Turns = Iterator[tuple[Callable[[], object], int]]


@contextlib.contextmanager
def _by_cores(side: int, dtype: str) -> _Turns:
  x = jnp.ones((side, side), dtype)
  products = cores.compiled(jnp.matmul, x, x)
  operands = [jax.device_put(x, device) for device in cores.devices()]
  with concurrent.futures.ThreadPoolExecutor(len(operands)) as pool:

    def work(product: jax.stages.Compiled, x: jax.Array) -> None:
      product(x, x).block_until_ready()

    yield lambda: list(pool.map(work, products, operands)), len(operands)


@contextlib.contextmanager
def _by_devices(side: int, dtype: str) -> _Turns:
  devices = len(jax.local_devices())
  place = division.split()
  x = jax.device_put(jnp.ones((devices, side, side), dtype), place)
  product = jax.jit(jnp.matmul, out_shardings=place).lower(x, x).compile()
  # Several are begun at once, or starting them would count on a fast device.
  times = 8 if side == _SIDE_OF_ACCELERATOR else 1

  def turn() -> None:
    jax.block_until_ready([product(x, x) for _ in range(times)])

  yield turn, devices * times
