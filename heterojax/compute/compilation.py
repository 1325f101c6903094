"""Compiled programs, kept between runs.

JAX finds a program by its code, its flags and JAX's version; the folder adds
the processor, because what was compiled for one may not run on another.
"""

import contextlib
import hashlib
import importlib.metadata
import logging
import pathlib
import platform

import jax

from heterojax.compute import cache
from heterojax.compute import private_folders
from heterojax.compute import program_digests
from heterojax.errors import UserError

_LOG = logging.getLogger(__name__)
# Of what compiles in less, reading it back would save little.
_LEAST_SECONDS = 0.1
_COMPILED = '/jax/core/compile/backend_compile_duration'


def keep_programs() -> None:
  """Keeps compiled programs in `$HETEROJAX_CACHE/programs`.

  JAX's settings stay: `JAX_COMPILATION_CACHE_DIR` names another folder, and
  `JAX_ENABLE_COMPILATION_CACHE=false` keeps none. Whoever can write there can
  have programs run, and so a folder is not used if others can write to it or to
  one above it. Damaged programs are removed, and made anew.
  """
  # See `cores.program`.
  chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
  if chosen:
    return
  try:
    folder = private_folders.make(_folder())
    exposed = private_folders.open_to_others(folder)
    if exposed is not None:
      _LOG.warning(
        'Compiled programs are not kept in %s, because others can write to'
        ' %s: chmod go-w there, or another $HETEROJAX_CACHE, allows it.',
        folder,
        exposed,
      )
      return
    digests = program_digests.Digests(folder)
    if damaged := digests.remove_damaged():
      _LOG.info('%d damaged programs are compiled anew.', damaged)
  except (OSError, UserError) as error:
    said = str(error).rstrip('.')
    _LOG.info('Compiled programs are not kept: %s.', said)
    return
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update(
    'jax_persistent_cache_min_compile_time_secs', _LEAST_SECONDS
  )
  jax.monitoring.register_event_duration_secs_listener(
    lambda event, duration_secs, **_: _note(digests, event, duration_secs)
  )


def _note(digests: program_digests.Digests, event: str, seconds: float) -> None:
  """Notes what JAX has just compiled, and kept."""
  if event == _COMPILED and seconds >= _LEAST_SECONDS:
    # A full disk is no reason to stop: without a digest it is compiled again.
    with contextlib.suppress(OSError):
      digests.note()


def _folder() -> pathlib.Path:
  processor = platform.processor() or platform.machine()
  info = pathlib.Path('/proc/cpuinfo')
  if info.exists():
    # The first processor's model and instructions; clock rates vary.
    kept = ('model name', 'flags', 'Features')
    lines = info.read_text().split('\n\n')[0].splitlines()
    processor = '\n'.join(line for line in lines if line.startswith(kept))
  name = hashlib.blake2b(processor.encode(), digest_size=6).hexdigest()
  version = importlib.metadata.version('jaxlib')
  return cache.folder() / 'programs' / f'jaxlib-{version}-{name}'
