"""Which form of their arithmetic layers take: the plain one, or the CPU's.

On CPU some layers have another form that XLA runs faster. All of them ask here.
"""

from collections.abc import Iterator
import contextlib
import contextvars

from heterojax.compute import cores

_PLAIN = contextvars.ContextVar('plain', default=False)


def are_of_cpu() -> bool:
  """Whether layers take the forms that are faster on CPU."""
  return cores.are_the_devices() and not _PLAIN.get()


@contextlib.contextmanager
def plain() -> Iterator[None]:
  """Has layers take their plain forms, whatever the machine.

  Programs are kept by their function, not by their form: trace a function in
  here that nothing else has traced.
  """
  token = _PLAIN.set(True)
  try:
    yield
  finally:
    _PLAIN.reset(token)
