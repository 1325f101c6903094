"""Compiled programs, kept between runs.

JAX finds a program by its code, its flags and JAX's version; the folder adds
the processor, because what was compiled for one may not run on another.
"""

import hashlib
import importlib.metadata
import logging
import os
import pathlib
import platform
import stat

import jax

from heterojax.compute import cache

_LOG = logging.getLogger(__name__)
# Of what compiles in less, reading it back would save little.
_LEAST_SECONDS = 0.1


def keep_programs() -> None:
  """Keeps compiled programs in `$HETEROJAX_CACHE/programs`.

  JAX's settings stay: `JAX_COMPILATION_CACHE_DIR` names another folder, and
  `JAX_ENABLE_COMPILATION_CACHE=false` keeps none. Whoever can write there can
  have programs run, and so a folder that others can write to is not used.
  """
  # See `cores.program`.
  chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
  if chosen:
    return
  folder = _folder()
  try:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
  except OSError as error:
    _LOG.info('Compiled programs are not kept: %s.', error)
    return
  others = stat.S_IWGRP | stat.S_IWOTH
  if status.st_mode & others or status.st_uid != os.getuid():
    _LOG.warning(
      'Compiled programs are not kept in %s, because others can write there:'
      ' chmod 700 allows it.',
      folder,
    )
    return
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update(
    'jax_persistent_cache_min_compile_time_secs', _LEAST_SECONDS
  )


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
