"""How heads share a device: in turn on a core, side by side on an accelerator.

A core keeps the numbers of one head, or of a few, in its cache. An accelerator
is only busy with many at once.
"""

from typing import NamedTuple

from heterojax.compute import platform


class Forms(NamedTuple):
  """How many heads a program takes at once.

  Attributes:
    in_turn: whether it trains and asks one head after another.
    numbers: of one kind that the logistic heads of a batch have at most.
    heads: in such a batch, at most.
    labellings: of the same rows.
    several_classes: heads of more than two classes.
  """

  in_turn: bool
  numbers: int
  heads: int
  labellings: int
  several_classes: int


# The numbers fit into a core's second cache; they keep an accelerator busy.
_ON_CORES = Forms(True, 2**18, 64, 100, 1)
_ON_ACCELERATORS = Forms(False, 2**27, 1024, 200, 128)


def of_programs() -> Forms:
  """Those of the platform that programs are made for."""
  on_cpu = platform.of_programs() == 'cpu'
  return _ON_CORES if on_cpu else _ON_ACCELERATORS
