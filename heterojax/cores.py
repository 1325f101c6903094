"""Programs for one CPU core each, run side by side.

XLA divides only some operations over the cores, and waits at each of them. Work
that falls into independent parts is done faster by a program per core, and what
a part gives then does not depend on the number of cores.
"""

from collections.abc import Callable
import functools
import os
from typing import Any

import jax

_OPTIONS = {
    'xla_cpu_multi_thread_eigen': False,
    # Measured on EfficientNet-B0: its products are a tenth faster without the
    # library that `arithmetic` warns of, and wide vectors give 5 %.
    'xla_cpu_experimental_ynn_fusion_type': '',
    'xla_cpu_prefer_vector_width': 512,
}
_MOST_PROGRAMS = 64


def number() -> int:
  """CPU cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def are_the_devices() -> bool:
  """Whether JAX computes on CPU cores."""
  return jax.default_backend() == 'cpu'


def compiled(
    function: Callable[..., Any],
    *args: Any,
    donate: tuple[int, ...] = (),
    **static: Any,
) -> jax.stages.Compiled:
  """A function compiled for one core, or for an accelerator.

  Ahead of time, or every thread would compile.

  Args:
    function: pure, of arrays and what is static.
    *args: trees of arrays, or of their shapes and types.
    donate: numbers of the arguments whose memory the result may take.
    **static: hashable.

  Returns:
    What takes arguments of these shapes, from any thread.
  """
  jitted = jax.jit(function, donate_argnums=donate, static_argnames=[*static])
  lowered = jitted.lower(*args, **static)
  return lowered.compile(_OPTIONS if are_the_devices() else None)


def program(
    function: Callable[..., Any],
    *args: Any,
    donate: tuple[int, ...] = (),
    **static: Any,
) -> jax.stages.Compiled:
  """`compiled`, and the same program for the same function and shapes."""
  leaves, tree = jax.tree.flatten(args)
  shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves)
  # What is traced depends on these as well.
  settings = are_the_devices(), jax.config.jax_enable_x64
  return _program(
      function, tree, shapes, donate, tuple(static.items()), settings
  )


@functools.lru_cache(maxsize=_MOST_PROGRAMS)
def _program(
    function: Callable[..., Any],
    tree: jax.tree_util.PyTreeDef,
    shapes: tuple[jax.ShapeDtypeStruct, ...],
    donate: tuple[int, ...],
    static: tuple[tuple[str, Any], ...],
    settings: tuple[bool, ...],
) -> jax.stages.Compiled:
  del settings
  args = tree.unflatten(shapes)
  return compiled(function, *args, donate=donate, **dict(static))


def forget_programs() -> None:
  """Frees what `program` keeps."""
  _program.cache_clear()
