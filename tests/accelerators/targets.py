"""Accelerators that programs are compiled for without having one.

The compilers come with `libtpu` and JAX's CUDA plugin; a description of the
device is all that they need. What they cannot do without one is to measure:
there is no choice among several kernels by time.
"""

import os
from typing import Any, NamedTuple

import jax
from jax.experimental import topologies
import programs

from heterojax.compute import liveness
from heterojax.compute import platform

# Before JAX starts: it computes on CPU, its compiler for TPUs asks no server
# where it runs, and that for GPUs does not try kernels out.
jax.config.update('jax_platforms', 'cpu')
os.environ['TPU_SKIP_MDS_QUERY'] = '1'
# Two lanes may run at the same time: there is no TPU that they could share.
os.environ['ALLOW_MULTIPLE_LIBTPU_LOAD'] = '1'
os.environ['XLA_FLAGS'] += ' --xla_gpu_autotune_level=0'

# As XLA's own description of an H100 (SXM, 80 GB).
_H100 = """
gpu_device_info {
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: 84942979072
  shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 minor: 0 }
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


class Target(NamedTuple):
  """A device to compile for.

  Attributes:
    title: what it is called.
    platform: of its programs.
    memory: bytes that programs can use.
    topology: arguments of JAX's `get_topology_desc`.
    options: of the compiler.
  """

  title: str
  platform: platform.Platform
  memory: float
  topology: dict[str, Any]
  options: dict[str, Any] = {}


TARGETS = {
  'h100': Target(
    'NVIDIA H100, 80 GB',
    'cuda',
    80e9,
    {'platform': 'cuda', 'topology': '1x1x1', 'target_config': _H100},
  ),
  'v5e': Target(
    'Google TPU v5e',
    'tpu',
    15.75 * 2**30,
    {
      'platform': 'tpu',
      'topology_name': 'v5e:1x1',
      'chips_per_host_bounds': [1, 1, 1],
    },
    # A network in float32 takes minutes at full effort; see also
    # `forward.TPU_OPTIONS`.
    {'exec_time_optimization_effort': -1.0},
  ),
}


def device(target: Target) -> Any:
  """The first device of a target, with which arrays can be described."""
  return topologies.get_topology_desc(**target.topology).devices[0]


def has(program: programs.Program, target: Target) -> bool:
  """Whether a program is made for a target, and not for its host's cores."""
  with program.made_for(target.platform) as here:
    return here


def compiled(program: programs.Program, target: Target) -> jax.stages.Compiled:
  """A program for a target, for which it is made."""
  place = jax.sharding.SingleDeviceSharding(device(target))

  def placed(leaf: Any) -> Any:
    if not isinstance(leaf, jax.ShapeDtypeStruct):
      return leaf
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

  with program.made_for(target.platform):
    args = jax.tree.map(placed, program.args)
    lowered = program.function.lower(*args, **program.static)
    return lowered.compile(compiler_options=target.options)


def forecast(program: programs.Program, target: Target) -> liveness.Peak:
  """What `liveness` says of a program, without the compiler."""
  with program.made_for(target.platform):
    traced = program.function.trace(*program.args, **program.static)
  return liveness.peak(traced.jaxpr, target.platform)


def needed(planned: Any) -> int:
  """Bytes of a program while it runs; what it donates counts once."""
  return (
    planned.argument_size_in_bytes
    + planned.output_size_in_bytes
    - planned.alias_size_in_bytes
    + planned.temp_size_in_bytes
  )
