"""Batches through a network, on the devices that there are.

Accelerators, and several devices of any kind, divide a batch among them. On one
CPU device every core takes a few images at a time through a separate program,
because XLA divides only some operations over the cores. What an image gives
then does not depend on the number of cores either.
"""

from collections.abc import Callable, Iterator
import concurrent.futures
import contextlib
import functools
import math
import queue
from typing import Any, NamedTuple

import jax
from jax.sharding import NamedSharding
import numpy as np

from heterojax.compute import cores
from heterojax.compute import division
from heterojax.compute import platform
from heterojax.compute.arrays import Device
from heterojax.errors import UserError

Network = Callable[[Any, jax.Array], jax.Array]
# Begins with images [B, S, S, 3], of which the first so many count; what it
# returns waits for their results.
Run = Callable[[np.ndarray, int], Callable[[], np.ndarray]]
_FLOATS = np.dtype(np.float32)
_IMAGES_PER_CORE = 8
# What a batch has by itself: on CPU in all, and on each accelerator, which is
# idle for most of the time with few.
_ON_CPU, _ON_ACCELERATOR = 32, 256
# Of XLA's compiler, for a network on a TPU: at full effort EfficientNet-B0 in
# float32 takes 77 to 114 CPU-seconds, and so 12. Its estimate of a batch is 4 %
# shorter; neither program was ever run (docs/accelerators.md).
TPU_OPTIONS = {'exec_time_optimization_effort': -0.5}


@contextlib.contextmanager
def batches(
  network: Network, params: Any, shape: tuple[int, ...]
) -> Iterator[Run]:
  """Compiles a network once, for every batch of one shape.

  Args:
    network: (params, images) to an array with a row for each image; pure.
    params: its weights.
    shape: of a batch, `[B, S, S, 3]` float32; or uint8, for a network that
      takes both, where `takes_bytes`.

  Yields:
    What runs a batch, see `Run`; one may be begun before another is waited for.

  Raises:
    UserError: if the devices cannot share the batch.
  """
  if by_devices():
    _check_shared(shape[0])
    params = jax.device_put(params, division.everywhere())
    compiled = functools.partial(programs, network, params, shape)
    yield functools.partial(_over_devices, compiled, params, division.split())
    return
  compiled = programs(network, params, shape)
  size = _images_per_call(shape[0])
  free: queue.SimpleQueue[_Core] = queue.SimpleQueue()
  for program, device in zip(compiled, cores.devices(), strict=True):
    free.put(_Core(program, jax.device_put(params, device), device))
  with concurrent.futures.ThreadPoolExecutor(len(compiled)) as pool:
    yield functools.partial(_over_cores, free, size, pool)


class _Core(NamedTuple):
  """What a core needs to run its images."""

  compiled: jax.stages.Compiled
  params: Any
  device: Device


def programs(
  network: Network,
  params: Any,
  shape: tuple[int, ...],
  dtype: np.dtype = _FLOATS,
) -> cores.Programs:
  """One that runs a batch; or for each core, the images it takes at a time.

  Args:
    network: see `batches`.
    params: its weights, or their shapes.
    shape: of a batch, `[B, S, S, 3]`.
    dtype: of its images.

  Returns:
    The compiled network, once for each core or once for all devices; kept for
    other pictures of the same network object.

  Raises:
    UserError: if the devices cannot share the batch.
  """
  images = images_of_call(shape, dtype)
  if not by_devices():
    return cores.program(network, params, images)
  _check_shared(shape[0])
  options = TPU_OPTIONS if platform.of_programs() == 'tpu' else {}
  program = division.program(
    network,
    params,
    images,
    divided=(False, True),
    options=tuple(options.items()),
  )
  return (program,)


def _check_shared(size: int) -> None:
  devices = len(jax.local_devices())
  if size % devices:
    raise UserError(
      f'The batch of {size} images cannot be divided over {devices} devices:'
      ' change --config.features.batch_size.'
    )


def images_of_call(
  shape: tuple[int, ...], dtype: np.dtype = _FLOATS
) -> jax.ShapeDtypeStruct:
  """What a program takes at a time of batches of a shape."""
  size = shape[0] if by_devices() else _images_per_call(shape[0])
  return jax.ShapeDtypeStruct((size, *shape[1:]), dtype)


def takes_bytes() -> bool:
  """Whether images travel to a device, so that a quarter of them is enough."""
  return platform.of_programs() != 'cpu'


def by_devices() -> bool:
  """Whether devices divide a batch; else the cores of one CPU device do."""
  return len(jax.local_devices()) > 1 or platform.of_programs() != 'cpu'


def batch_size(asked: int) -> int:
  """Images of a batch; 0 leaves it to the devices that share it."""
  if asked:
    return asked
  devices = len(jax.local_devices())
  if platform.of_programs() == 'cpu':
    return -(-_ON_CPU // devices) * devices
  return _ON_ACCELERATOR * devices


def ahead(batch_size: int) -> int:
  """Batches to begin before one is waited for, so that none has to idle."""
  if platform.of_programs() != 'cpu':
    return 2
  return 1 + cores.number() * _IMAGES_PER_CORE // batch_size


def _images_per_call(batch_size: int) -> int:
  """Images of a call of one core, so that batches have no odd rest."""
  return math.gcd(batch_size, _IMAGES_PER_CORE)


def _over_devices(
  compiled: Callable[[np.dtype], cores.Programs],
  params: Any,
  place: NamedSharding,
  images: np.ndarray,
  count: int,
) -> Callable[[], np.ndarray]:
  (program,) = compiled(images.dtype)  # Once for each type that comes.
  result = program(params, jax.device_put(images, place))
  return lambda: np.asarray(result)[:count]


def _over_cores(
  free: 'queue.SimpleQueue[_Core]',
  size: int,
  pool: concurrent.futures.ThreadPoolExecutor,
  images: np.ndarray,
  count: int,
) -> Callable[[], np.ndarray]:

  def part(images: np.ndarray) -> np.ndarray:
    core = free.get()
    try:
      images = jax.device_put(images, core.device)
      return np.asarray(core.compiled(core.params, images))
    finally:
      free.put(core)

  parts = [
    pool.submit(part, images[start : start + size])
    for start in range(0, count, size)
  ]
  return lambda: np.concatenate([p.result() for p in parts])[:count]
