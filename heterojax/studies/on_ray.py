"""Shards of features by Ray's actors, each of which keeps to its own cores.

Ray is imported only here, and only where `--on=ray` asks for it. It starts
actors and those that were lost again; what they do is `sharding.opened`.
"""

from collections.abc import Iterator, Sequence
import contextlib
import os
import pathlib
from typing import Any, NamedTuple

from heterojax.compute import quota
from heterojax.errors import UserError
from heterojax.features.shards import Shard
from heterojax.run import interruption
from heterojax.run.progress import Progress
from heterojax.studies import sharding

_SECONDS = 1.0  # Between two looks at whether to stop.
# Times that an actor is started again: its machine may have gone.
_RESTARTS = 3


class Place(NamedTuple):
  """Where an actor runs.

  Attributes:
    node: Ray's name of the machine.
    rank: its number among the actors there.
    cores: how many cores each of them has.
  """

  node: str
  rank: int
  cores: int


def places(nodes: dict[str, int], count: int) -> list[Place]:
  """Divides the cores of all machines over at most so many actors.

  Args:
    nodes: Ray's name of each machine to its cores.
    count: of shards.

  Returns:
    One place for each actor, machine by machine.
  """
  usable = {node: cores for node, cores in nodes.items() if cores}
  if not usable:
    return []
  each = min(max(sum(usable.values()) // count, 1), min(usable.values()))
  every = [
    Place(node, rank, each)
    for node, cores in usable.items()
    for rank in range(cores // each)
  ]
  return every[:count]


class Worker:
  """Computes shards on cores of its own; Ray makes it an actor.

  Args:
    place: of the actor.
    config: see `sharding.opened`, as are all others.
  """

  def __init__(self, place: Place, config: dict[str, Any], *args, **options):
    there = quota.allowed()
    first = place.rank * place.cores
    own = {there[(first + i) % len(there)] for i in range(place.cores)}
    # Before JAX starts threads, which stay where this one is.
    os.sched_setaffinity(0, own)
    self._stack = contextlib.ExitStack()
    self._extract = self._stack.enter_context(
      sharding.opened(config, *args, **options)
    )

  def extract(self, index: int, count: int) -> int:
    """Computes one shard; the number of its images."""
    return self._extract(Shard(index, count))


def extract(
  numbers: Sequence[int],
  config: dict[str, Any],
  folder: pathlib.Path,
  count: int,
  **options: Any,
) -> int:
  """Computes shards by actors of the Ray that runs here, or of a new one.

  Args:
    numbers: of the shards.
    config: see `sharding.opened`, as are all others.
    folder: that all machines share.
    count: N, of all shards.
    **options: of `sharding.opened`.

  Returns:
    The number of their images.

  Raises:
    UserError: if Ray is not installed, or its actors are lost.
    HeterojaxError: what a shard was ended by.
  """
  try:
    # pylint: disable-next=import-outside-toplevel
    import ray  # pyright: ignore[reportMissingImports]
  except ModuleNotFoundError as error:
    raise UserError(
      'Ray is not installed: install heterojax with the extra ray, or leave'
      ' --on=ray out.'
    ) from error
  with _running(ray):
    nodes = {
      node['NodeID']: int(node['Resources'].get('CPU', 0))
      for node in ray.nodes()
      if node['Alive']
    }
    actor = ray.remote(Worker)
    pool = ray.util.ActorPool([
      actor.options(
        num_cpus=place.cores,
        max_restarts=_RESTARTS,
        max_task_retries=_RESTARTS,
        scheduling_strategy=_on(ray, place.node),
      ).remote(place, config, folder.absolute(), count, **options)
      for place in places(nodes, len(numbers))
    ])
    for index in numbers:
      pool.submit(lambda worker, i: worker.extract.remote(i, count), index)
    images = 0
    with Progress('shards', len(numbers), 'shards') as progress:
      while pool.has_next():
        interruption.check()
        try:
          images += pool.get_next_unordered(_SECONDS)
        except TimeoutError:
          continue
        except ray.exceptions.RayTaskError as error:
          raise error.cause from error
        except ray.exceptions.RayActorError as error:
          raise UserError(
            f'An actor of Ray was lost {_RESTARTS + 1} times, perhaps for want'
            ' of memory: what is done is kept; give the same command, with'
            ' fewer shards for fewer actors.'
          ) from error
        progress.update(1)
  return images


@contextlib.contextmanager
def _running(ray: Any) -> Iterator[None]:
  """Ray, as the caller started it; or as its variables say, until the end."""
  if ray.is_initialized():
    yield
    return
  ray.init(include_dashboard=False)
  try:
    yield
  finally:
    ray.shutdown()


def _on(ray: Any, node: str) -> Any:
  """That machine and no other, where the actor's cores are its own."""
  kind = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
  return kind(node, soft=False)
