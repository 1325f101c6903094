"""Programs for one CPU core each, run side by side.

XLA divides only some operations over the cores, and waits at each of them. Work
that falls into independent parts is done faster by a program per core, and what
a part gives then does not depend on the number of cores.
"""

from collections.abc import Callable, Iterable
import contextlib
import functools
import os
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.compute import platform
from heterojax.compute import quota
from heterojax.compute import unofficial
from heterojax.compute.arrays import Array
from heterojax.compute.arrays import Device
from heterojax.compute.arrays import TreeDef

_OPTIONS = {
  'xla_cpu_multi_thread_eigen': False,
  # Measured on EfficientNet-B0: wide vectors give 5 %.
  'xla_cpu_prefer_vector_width': 512,
}
# The products of EfficientNet-B0 are a tenth faster without the library that
# `arithmetic` warns of; with four columns they take three times as long.
_NO_LIBRARY = {'xla_cpu_experimental_ynn_fusion_type': ''}
_MOST_PROGRAMS = 64

Programs = tuple[jax.stages.Compiled, ...]


def number() -> int:
  """How many CPU cores this process may use."""
  return len(numbers())


def numbers() -> tuple[int, ...]:
  """The operating system's numbers of those cores; the first, under a quota."""
  return quota.allowed()[: quota.number()]


def placed(x: jax.typing.ArrayLike, dtype: Any = None) -> Array:
  """An array where programs read it: on CPU that is the memory of the host.

  A mapped file stays one, of which programs get no copy.
  """
  on_cpu = platform.of_programs() == 'cpu'
  return (np.asarray if on_cpu else jnp.asarray)(x, dtype)


def devices() -> tuple[Device, ...]:
  """One for each core, or the first accelerator.

  All programs on one CPU device share its threads, and XLA spreads the kernels
  of each over them: VGG16 and the heads lost between a fifth and a half by it.
  So every core gets a device whose single thread stays there. Arrays on
  different ones share their memory.

  Returns:
    The devices; where threads cannot be bound to a core, that of JAX repeated.
  """
  if platform.of_programs() != 'cpu':
    return tuple(jax.local_devices()[:1])
  return _devices(numbers())


def memory() -> int | None:
  """Bytes of the memory of one of `devices`; None where it is the host's."""
  if platform.of_programs() == 'cpu':
    return None
  known = devices()[0].memory_stats() or {}
  return known.get('bytes_limit')


@functools.cache
def _devices(cores: tuple[int, ...]) -> tuple[Device, ...]:
  make = unofficial.cpu_client()
  if make is None or not hasattr(os, 'sched_setaffinity'):
    return tuple(jax.local_devices(backend='cpu')[:1]) * len(cores)
  made, before = [], os.sched_getaffinity(0)
  limited = quota.number() < len(before)
  threads = _threads() if limited else set()
  try:
    for core in cores:
      # Threads begin where the one that starts them may run.
      os.sched_setaffinity(0, {core})
      made += make().local_devices()[:1]
  finally:
    os.sched_setaffinity(0, before)
  if limited:
    # Others under a quota chose the same cores: let the system move them about.
    for thread in _threads() - threads:
      with contextlib.suppress(ProcessLookupError):  # It has ended.
        os.sched_setaffinity(thread, before)
  return tuple(made)


def _threads() -> set[int]:
  """The operating system's numbers of this process' threads."""
  return {int(name) for name in os.listdir('/proc/self/task')}


def jitted(
  function: Callable[..., Any],
  donate: tuple[int, ...] = (),
  static: Iterable[str] = (),
) -> Any:
  """A function as `compiled` traces it."""
  return jax.jit(function, donate_argnums=donate, static_argnames=[*static])


def compiled(
  function: Callable[..., Any],
  *args: Any,
  donate: tuple[int, ...] = (),
  library: bool = False,
  **static: Any,
) -> Programs:
  """A function compiled for each core, or once for an accelerator.

  Ahead of time, or every thread would compile.

  Args:
    function: pure, of arrays and what is static.
    *args: trees of arrays, or of their shapes and types.
    donate: numbers of the arguments whose memory the result may take.
    library: whether XLA's library may do the products on CPU.
    **static: hashable.

  Returns:
    What takes arguments of these shapes, from any thread; that of a core takes
    them on its device.
  """
  how = jitted(function, donate, static)
  args = jax.tree.map(_shape, args)
  options = None
  if platform.of_programs() == 'cpu':
    options = _OPTIONS if library else _OPTIONS | _NO_LIBRARY
  traced = how.trace(*args, **static)
  made: dict[Device, jax.stages.Compiled] = {}
  for device in devices():
    if device not in made:
      # Where JAX keeps programs, all but the first one only read it.
      with jax.default_device(device):
        made[device] = traced.lower().compile(options)
  return tuple(made[device] for device in devices())


def program(
  function: Callable[..., Any],
  *args: Any,
  donate: tuple[int, ...] = (),
  library: bool = False,
  **static: Any,
) -> Programs:
  """`compiled`, and the same programs for the same function and shapes."""
  leaves, tree = jax.tree.flatten(args)
  shapes = tuple(_shape(leaf) for leaf in leaves)
  options = donate, library
  return _program(
    function, tree, shapes, options, tuple(static.items()), settings()
  )


def settings() -> tuple[Any, ...]:
  """What traced programs depend on beside their arguments."""
  # JAX defines it as it is imported, which no type checker sees.
  x64 = jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
  return platform.of_programs(), x64, numbers()


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)


@functools.lru_cache(maxsize=_MOST_PROGRAMS)
def _program(
  function: Callable[..., Any],
  tree: TreeDef,
  shapes: tuple[jax.ShapeDtypeStruct, ...],
  options: tuple[tuple[int, ...], bool],
  static: tuple[tuple[str, Any], ...],
  settings: tuple[Any, ...],
) -> Programs:
  del settings
  args, (donate, library) = tree.unflatten(shapes), options
  return compiled(
    function, *args, donate=donate, library=library, **dict(static)
  )


def forget_programs() -> None:
  """Frees what `program` keeps."""
  _program.cache_clear()
