"""The platform that programs are made for.

It is that of JAX, unless a context names another one: then programs are traced,
lowered and compiled for a machine that is not here, and the forms that are made
for accelerators run on CPU. JAX keeps the choice with all that it traces, so
that no program is taken for another platform's. It is a thread's own, as JAX's
other settings are: whoever starts threads asks before.
"""

from collections.abc import Iterator
import contextlib
from typing import Literal, get_args

import jax

Platform = Literal['cpu', 'cuda', 'tpu']
PLATFORMS: tuple[Platform, ...] = get_args(Platform)

_CHOSEN = jax.make_user_context()


def of_programs() -> Platform:
  """The platform that is asked for, or the one that JAX computes on."""
  if _CHOSEN.value is not None:
    return _CHOSEN.value
  backend = jax.default_backend()
  # JAX calls NVIDIA's 'gpu'; what is neither is most like one.
  return backend if backend in ('cpu', 'tpu') else 'cuda'


@contextlib.contextmanager
def use(platform: Platform) -> Iterator[None]:
  """Has programs be made for a platform, whatever the machine.

  Args:
    platform: one of `PLATFORMS`.

  Yields:
    Nothing.

  Raises:
    ValueError: if there is no such platform.
  """
  if platform not in PLATFORMS:
    raise ValueError(f'platform {platform!r} is not one of {PLATFORMS}')
  with _CHOSEN(platform):
    yield
