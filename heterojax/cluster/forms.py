"""What clustering computes otherwise on CPU cores than on accelerators."""

from heterojax.compute import platform


def are_of_cpu() -> bool:
  """Whether clustering takes the forms that are faster on CPU."""
  return platform.of_programs() == 'cpu'
