"""Batches through a network, on the devices that there are.

Accelerators, and several devices of any kind, divide a batch among them. On one
CPU device every core takes a few images at a time through a program of its own,
because XLA divides only some operations over the cores. What an image gives
then does not depend on the number of cores either.
"""

from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
import math
import os
from typing import Any

import jax
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec
import numpy as np

from heterojax.errors import UserError

Network = Callable[[Any, jax.Array], jax.Array]
# Begins with images [B, S, S, 3], of which the first so many count; what it
# returns waits for their results.
Run = Callable[[np.ndarray, int], Callable[[], np.ndarray]]
_IMAGES_PER_CORE = 8
_ONE_CORE = {
    'xla_cpu_multi_thread_eigen': False,
    # Measured on EfficientNet-B0: its products are a tenth faster without the
    # library that `arithmetic` warns of, and wide vectors give 5 %.
    'xla_cpu_experimental_ynn_fusion_type': '',
    'xla_cpu_prefer_vector_width': 512,
}


@contextlib.contextmanager
def batches(
    network: Network, params: Any, shape: tuple[int, ...]
) -> Iterator[Run]:
  """Compiles a network once, for every batch of one shape.

  Args:
    network: (params, images) to an array with a row for each image; pure.
    params: its weights.
    shape: of a batch, `[B, S, S, 3]` float32.

  Yields:
    What runs a batch, see `Run`; one may be begun before another is waited for.

  Raises:
    UserError: if the devices cannot share the batch.
  """
  devices = jax.local_devices()
  if len(devices) > 1 or devices[0].platform != 'cpu':
    yield _over_devices(network, params, shape[0], devices)
    return
  with concurrent.futures.ThreadPoolExecutor(cores()) as pool:
    yield _over_cores(network, params, shape, pool)


def ahead(batch_size: int) -> int:
  """Batches to begin before one is waited for, so that none has to idle."""
  if jax.local_devices()[0].platform != 'cpu':
    return 1
  return 1 + cores() * _IMAGES_PER_CORE // batch_size


def cores() -> int:
  """CPU cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _over_devices(
    network: Network, params: Any, batch_size: int, devices: list[jax.Device]
) -> Run:
  if batch_size % len(devices):
    raise UserError(
        f'The batch of {batch_size} images cannot be divided over'
        f' {len(devices)} devices: change --config.features.batch_size.'
    )
  mesh = jax.make_mesh(
      (len(devices),), ('data',), axis_types=(AxisType.Auto,), devices=devices
  )
  split = NamedSharding(mesh, PartitionSpec('data'))
  params = jax.device_put(params, NamedSharding(mesh, PartitionSpec()))
  # The batch shape never changes, so this compiles once.
  compiled = jax.jit(network, out_shardings=split)

  def run(images: np.ndarray, count: int) -> Callable[[], np.ndarray]:
    result = compiled(params, jax.device_put(images, split))
    return lambda: np.asarray(result)[:count]

  return run


def _over_cores(
    network: Network,
    params: Any,
    shape: tuple[int, ...],
    pool: concurrent.futures.ThreadPoolExecutor,
) -> Run:
  size = math.gcd(shape[0], _IMAGES_PER_CORE)
  images = jax.ShapeDtypeStruct((size, *shape[1:]), np.float32)
  # Ahead of time, or every thread would compile.
  compiled = jax.jit(network).lower(params, images).compile(_ONE_CORE)

  def part(images: np.ndarray) -> np.ndarray:
    return np.asarray(compiled(params, jax.device_put(images)))

  def run(images: np.ndarray, count: int) -> Callable[[], np.ndarray]:
    parts = [
        pool.submit(part, images[start : start + size])
        for start in range(0, count, size)
    ]
    return lambda: np.concatenate([p.result() for p in parts])[:count]

  return run
