"""Work that the accelerators of a process divide, by one program for all.

Each takes its run of the first axis and nothing is exchanged, so that the bits
are those of one device. A program of its own for each would be compiled for
each.
"""

from collections.abc import Callable
import functools
from typing import Any

import jax
from jax.sharding import AxisType
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec

from heterojax.compute import cores
from heterojax.compute.arrays import TreeDef

_AXIS = 'data'
_MOST_PROGRAMS = 16


def mesh() -> jax.sharding.Mesh:
  """All devices of this process, in a row."""
  devices = jax.local_devices()
  return jax.make_mesh(
    (len(devices),), (_AXIS,), axis_types=(AxisType.Auto,), devices=devices
  )


def split() -> NamedSharding:
  """The first axis divided over the devices."""
  return NamedSharding(mesh(), PartitionSpec(_AXIS))


def everywhere() -> NamedSharding:
  """A copy on each device."""
  return NamedSharding(mesh(), PartitionSpec())


def program(
  function: Callable[..., Any],
  *args: Any,
  divided: tuple[bool, ...],
  donate: tuple[int, ...] = (),
  options: tuple[tuple[str, Any], ...] = (),
  **static: Any,
) -> jax.stages.Compiled:
  """A function of which every device computes a part; kept for equal shapes.

  Args:
    function: pure, of arrays and what is static; all that it gives has the
      first axis of what is divided.
    *args: trees of arrays, or of their shapes and types.
    divided: which of them the devices divide; they all have the others.
    donate: numbers of the arguments whose memory the result may take.
    options: of XLA's compiler, name and value.
    **static: hashable.
  """
  leaves, tree = jax.tree.flatten(args)
  shapes = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in leaves)
  return _program(
    function,
    tree,
    shapes,
    divided,
    donate,
    options,
    tuple(static.items()),
    cores.settings(),
  )


@functools.lru_cache(maxsize=_MOST_PROGRAMS)
def _program(
  function: Callable[..., Any],
  tree: TreeDef,
  shapes: tuple[jax.ShapeDtypeStruct, ...],
  divided: tuple[bool, ...],
  donate: tuple[int, ...],
  options: tuple[tuple[str, Any], ...],
  static: tuple[tuple[str, Any], ...],
  settings: tuple[Any, ...],
) -> jax.stages.Compiled:
  del settings
  places = [split() if d else everywhere() for d in divided]
  part = jax.shard_map(
    functools.partial(function, **dict(static)),
    mesh=mesh(),
    in_specs=tuple(place.spec for place in places),
    out_specs=split().spec,
    check_vma=False,
  )
  jitted = jax.jit(part, donate_argnums=donate, in_shardings=tuple(places))
  lowered = jitted.lower(*tree.unflatten(shapes))
  return lowered.compile(dict(options) or None)
