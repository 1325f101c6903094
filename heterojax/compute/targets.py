"""What a study may be planned for: published figures of accelerators.

NVIDIA, "H100 Tensor Core GPU" (SXM, dense products); Google Cloud, "TPU v5e".
Their hosts are those of Google Cloud's a3-highgpu-1g and ct5lp-hightpu-8t.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from heterojax.errors import UserError

CPU = 'cpu'


class Target(NamedTuple):
  """An accelerator and its host.

  Attributes:
    title: what it is called.
    platform: of its programs.
    devices: how many there are.
    memory: bytes of each that programs can use.
    bandwidth: bytes in a second, of each.
    products: operations in a second of each, by the kind of numbers; what it
      has no unit for is left to the host. 'float32' is of full precision.
    cores: of the host.
  """

  title: str
  platform: Literal['cuda', 'tpu']
  devices: int
  memory: int
  bandwidth: float
  products: Mapping[str, float]
  cores: int


TARGETS: Mapping[str, Target] = {
  'h100': Target(
    title='one NVIDIA H100 (80 GB)',
    platform='cuda',
    devices=1,
    memory=80_000_000_000,
    bandwidth=3.35e12,
    products={'bfloat16': 989e12, 'float32': 67e12, 'float64': 67e12},
    cores=13,
  ),
  'v5e-8': Target(
    title='eight Google TPU v5e (16 GB each)',
    platform='tpu',
    devices=8,
    memory=int(15.75 * 2**30),
    bandwidth=819e9,
    # A product of float32 is six of bfloat16.
    products={'bfloat16': 197e12, 'float32': 197e12 / 6},
    cores=112,
  ),
}
NAMES = (CPU, *TARGETS)


def check(name: str, dry_run: bool) -> None:
  """Raises a UserError where no study can be planned for what is named."""
  if name and name not in NAMES:
    raise UserError(f'--target={name} is not one of {", ".join(NAMES)}.')
  if name and not dry_run:
    raise UserError(
      f'--target={name} says what a study would take there, and runs nothing:'
      ' add --dry_run.'
    )
