"""Programs compile for accelerators that are not here, and fit into them.

Needs the compilers of `requirements-accelerators.lock`, in an environment of
their own (BUILD.md).
"""

import math

import jax
import numpy as np
import programs
import pytest
import targets

pytest.importorskip('libtpu')
pytest.importorskip('jax_cuda12_plugin')

_EVERY = programs.every()


def _cases(name: str) -> list:
  own = [p for p in _EVERY if targets.has(p, targets.TARGETS[name])]
  return [pytest.param(name, p, id=f'{name} {p.title}') for p in own]


@pytest.mark.parametrize('name, program', [*_cases('h100'), *_cases('v5e')])
def test_it_compiles_and_fits(name: str, program: programs.Program) -> None:
  target = targets.TARGETS[name]
  planned = targets.compiled(program, target).memory_analysis()
  given = sum(
    math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
    for leaf in jax.tree.leaves(program.args)
    if isinstance(leaf, jax.ShapeDtypeStruct)
    and not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
  )
  # Arguments that nothing reads are left out; TPUs pad to tiles.
  assert planned.argument_size_in_bytes < 1.5 * given + 2**20
  assert targets.needed(planned) < target.memory
