"""Whether this process may have the address space and threads that JAX takes.

Where it may not, JAX ends the process by a signal and without a sentence. So
both are asked for at once, and given back, before JAX starts.
"""

import mmap
import threading

from heterojax.compute import cores
from heterojax.errors import UserError

try:
  import resource
except ModuleNotFoundError:  # Windows has no such limits.
  resource = None

_GIB = 2**30
# Measured with 1 to 16 cores, beyond what the imports take: stacks of threads
# and arenas of memory, most of which stay empty.
_GIB_OF_ALL, _GIB_OF_CORE = 1.25, 0.4
_THREADS_OF_ALL, _THREADS_OF_PAIR = 32, 3  # XLA's pools have one of each core.
_MOST_THREADS = 512


def check() -> None:
  """Raises UserError where JAX could not start or a study not run."""
  _check_address_space(
    int(_GIB * (_GIB_OF_ALL + _GIB_OF_CORE * cores.number()))
  )
  _check_threads(
    min(_THREADS_OF_ALL + _THREADS_OF_PAIR * cores.number() ** 2, _MOST_THREADS)
  )


def _check_address_space(needed: int) -> None:
  if resource is None:
    return
  limit, _ = resource.getrlimit(resource.RLIMIT_AS)
  if limit == resource.RLIM_INFINITY:
    return
  # Nothing is written there, so that it need not be in the memory.
  flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
  flags |= getattr(mmap, 'MAP_NORESERVE', 0)
  try:
    mmap.mmap(-1, needed, flags=flags).close()
  except OSError as error:
    raise UserError(
      'The address space of this process is limited to'
      f' {limit / _GIB:.1f} GiB, of which {needed / _GIB:.1f} must be free:'
      ' raise the limit (ulimit -v), or give it fewer cores (taskset -c 0).'
    ) from error


def _check_threads(needed: int) -> None:
  end = threading.Event()
  started: list[threading.Thread] = []
  try:
    for _ in range(needed):
      thread = threading.Thread(target=end.wait, daemon=True)
      thread.start()
      started.append(thread)
  except RuntimeError as error:
    raise UserError(
      f'Only {len(started)} more threads can be started, but about {needed}'
      ' are needed: raise the limit of this user or container (ulimit -u), end'
      ' other programs, or give it fewer cores (taskset -c 0).'
    ) from error
  finally:
    end.set()
    for thread in started:
      thread.join()
