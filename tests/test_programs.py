"""Every program of the library is lowered for NVIDIA's GPUs and for TPUs.

No such machine is needed. What is compiled for them ahead of time, and how much
memory it takes, is in `tests/accelerators`.
"""

import re

import jax
import jax.numpy as jnp
import jitted
import programs
import pytest

from heterojax import features
from heterojax.compute import platform

_EVERY = programs.every()
# Each takes seconds of tracing, and one network has all that the others have.
_LONG = ('efficientnet_b0', 'efficientnet_lite0', 'vgg16')
_SCATTER = re.compile(
  r'"stablehlo\.scatter"\(.*?\n\s*\^bb0\(.*?:\n(.*?)stablehlo\.return',
  re.DOTALL,
)


def _cases() -> list:
  return [
    pytest.param(
      made_for,
      program,
      id=f'{made_for} {program.title}',
      marks=pytest.mark.slow if _is_long(program) else pytest.mark.medium,
    )
    for made_for in ('cuda', 'tpu')
    for program in _EVERY
    if _is_made(program, made_for)
  ]


def _is_long(program: programs.Program) -> bool:
  return program.name == 'finetuning.steps.step' and program.kind in _LONG


def _is_made(program: programs.Program, made_for: platform.Platform) -> bool:
  with program.made_for(made_for) as here:
    return here


def _module(program: programs.Program, made_for: platform.Platform) -> str:
  with program.made_for(made_for):
    traced = program.function.trace(*program.args, **program.static)
    return traced.lower(lowering_platforms=(made_for,)).as_text()


def _adding(module: str) -> list[str]:
  """What scatters that add do: on a GPU in any order, with other last bits."""
  return [body for body in _SCATTER.findall(module) if 'add' in body]


def test_no_function_is_forgotten() -> None:
  """A name that is taken off the list is missed."""
  assert {program.name for program in _EVERY} == jitted.found()


def test_what_is_left_to_the_cores() -> None:
  for made_for, want in (
    ('cuda', {'by_cores', 'blocks', 'epochs'}),
    (
      'tpu',
      {'by_cores', 'blocks', 'epochs', 'moments', 'pca', 'partitions'}
      | {'validity', 'distances', 'batches', 'labellings', 'multinomial'},
    ),
  ):
    left = [p for p in _EVERY if not _is_made(p, made_for)]
    assert {program.name.split('.')[1] for program in left} == want
    assert all(p.wide or p.on_cpu for p in left)


@pytest.mark.parametrize('made_for, program', _cases())
def test_it_is_lowered(
  made_for: platform.Platform, program: programs.Program
) -> None:
  module = _module(program, made_for)
  if made_for == 'tpu':
    assert 'f64' not in module
  else:
    assert not _adding(module)


@pytest.mark.medium
def test_precision_of_a_network_is_its_own() -> None:
  """Whatever that of the analysis is; without one, only its own counts."""
  program = next(p for p in _EVERY if p.kind == 'vgg16 float32 pooled')
  graphdef = program.of.args[0]
  for precision, want in (('highest', True), ('default', False)):
    network = features._applied(graphdef, 'pooled', precision)
    traced = jax.jit(network).trace(*program.args)
    module = traced.lower(lowering_platforms=('tpu',)).as_text()
    assert ('HIGHEST' in module) == want
    assert ('DEFAULT' in module) != want


def test_what_is_looked_for_is_found() -> None:
  x = jnp.zeros(8)
  for function, want in (
    (lambda x: x.at[jnp.array([1, 1])].add(x[:2]), 1),
    (lambda x: x.at[jnp.array([1, 1])].set(x[:2]), 0),
  ):
    module = jax.jit(function).trace(x).lower(lowering_platforms=('cuda',))
    assert len(_adding(module.as_text())) == want
    assert 'stablehlo.scatter' in module.as_text()
  with jax.enable_x64(True):
    module = jax.jit(lambda x: x + 1).trace(programs.shape(2, dtype=float))
    assert 'f64' in module.lower(lowering_platforms=('tpu',)).as_text()
