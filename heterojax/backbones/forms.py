"""Which form of their arithmetic layers take: the plain one, or the CPU's.

On CPU some layers have another form that XLA runs faster. All of them ask here.
"""

from heterojax.compute import platform


def are_of_cpu() -> bool:
  """Whether layers take the forms that are faster on CPU."""
  return platform.of_programs() == 'cpu'
