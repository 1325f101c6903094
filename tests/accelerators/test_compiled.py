"""Programs compile for accelerators that are not here, and fit into them.

Needs the compilers of `requirements-accelerators.lock`, in an environment of
their own (BUILD.md). A run of all cases of a target writes its table into
docs/accelerators.md.
"""

from collections.abc import Iterator
import math
import resource

import jax
import numpy as np
import programs
import pytest
import table
import targets

from heterojax.compute import forward

pytest.importorskip('libtpu')
pytest.importorskip('jax_cuda12_plugin')

_EVERY = programs.every()
_NETWORKS = '_applied', '.steps.step'
# Whose compiling for a TPU may take so many CPU-seconds.
_LONGEST, _MOST_SECONDS = 'features._applied efficientnet_b0 float32 pooled', 60


def _own(name: str) -> list[programs.Program]:
  return [p for p in _EVERY if targets.has(p, targets.TARGETS[name])]


def _cases(name: str) -> list:
  return [pytest.param(name, p, id=f'{name} {p.title}') for p in _own(name)]


@pytest.fixture(name='rows', scope='module')
def _rows() -> Iterator[dict[str, list[table.Row]]]:
  """Of each target; written where all programs compiled."""
  rows = {name: [] for name in targets.TARGETS}
  yield rows
  for name, found in rows.items():
    if len(found) == len(_own(name)):
      table.write(name, found)


def _seconds() -> float:
  """Of this process and of the assemblers that it starts."""
  kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
  return sum(sum(resource.getrusage(kind)[:2]) for kind in kinds)


@pytest.mark.parametrize('name, program', [*_cases('h100'), *_cases('v5e')])
def test_it_compiles_and_fits(
  name: str, program: programs.Program, rows: dict[str, list[table.Row]]
) -> None:
  target, start = targets.TARGETS[name], _seconds()
  planned = targets.compiled(program, target).memory_analysis()
  seconds = _seconds() - start
  given = sum(
    math.prod(leaf.shape) * np.dtype(leaf.dtype).itemsize
    for leaf in jax.tree.leaves(program.args)
    if isinstance(leaf, jax.ShapeDtypeStruct)
    and not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
  )
  # Arguments that nothing reads are left out; TPUs pad to tiles.
  assert planned.argument_size_in_bytes < 1.5 * given + 2**20
  assert targets.needed(planned) < target.memory
  forecast = targets.forecast(program, target)
  if program.name.endswith(_NETWORKS):
    # Compilers pad and order otherwise; a study is refused by this forecast.
    there = planned.argument_size_in_bytes + planned.temp_size_in_bytes
    assert 0.5 < sum(forecast[:2]) / there < 2
  rows[name].append(table.Row(program, seconds, planned, forecast))


def test_a_network_compiles_in_a_minute_as_a_run_compiles_it() -> None:
  (network,) = (p for p in _EVERY if p.title == _LONGEST)
  target = targets.TARGETS['v5e']._replace(options=forward.TPU_OPTIONS)
  start = _seconds()
  planned = targets.compiled(network, target).memory_analysis()
  assert _seconds() - start < _MOST_SECONDS
  assert targets.needed(planned) < target.memory
