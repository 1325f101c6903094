"""How much memory a program needs at once, without compiling it.

The operations of its trace run in their order. An array is there from the one
that makes it to the last one that reads it; what is computed element by element
is made where it is read, as compilers do, unless it is smaller than what it is
made of. That is a forecast: a compiler may order, pad and share otherwise.
`tests/accelerators` compares it with what XLA plans.
"""

from collections.abc import Iterator, Mapping, Sequence
import math
from typing import Any, NamedTuple

import jax
from jax.extend import core
import jax.numpy as jnp
import numpy as np

from heterojax.compute import platform

# TPUs lay out the last two axes in tiles.
_TILE = 8, 128
_INLINE = ('jit', 'closed_call', 'custom_jvp_call', 'custom_vjp_call', 'remat2')
_BY_ELEMENT = frozenset([
  'abs',
  'add',
  'and',
  'broadcast_in_dim',
  'ceil',
  'clamp',
  'convert_element_type',
  'copy',
  'copy_p',
  'cos',
  'div',
  'eq',
  'erf',
  'erf_inv',
  'exp',
  'expm1',
  'exp2',
  'floor',
  'ge',
  'gt',
  'integer_pow',
  'is_finite',
  'le',
  'log',
  'log1p',
  'logistic',
  'lt',
  'max',
  'min',
  'mul',
  'ne',
  'neg',
  'not',
  'or',
  'pow',
  'real',
  'reshape',
  'round',
  'rsqrt',
  'select_n',
  'sign',
  'sin',
  'sqrt',
  'square',
  'squeeze',
  'stop_gradient',
  'sub',
  'tan',
  'tanh',
  'transpose',
  'xor',
  'expand_dims',
  'pad',
  'add_any',
  'reduce_precision',
  'slice',
  'rev',
])
# On a GPU a kernel of their own follows a convolution, which takes no more in
# than sums, products and limits.
_NOT_IN_CONVOLUTIONS = frozenset({'exp', 'logistic', 'tanh'})


class _Step(NamedTuple):
  """An operation: variables are numbers, those of arguments come first."""

  reads: tuple[int, ...]
  makes: tuple[int, ...]
  by_element: bool
  inside: int


class _Trace(NamedTuple):
  """A program's operations in their order, and the bytes of its variables."""

  made_for: platform.Platform
  sizes: list[int]
  steps: list[_Step]

  def new(self, variable: core.Var) -> int:
    self.sizes.append(_size(variable.aval, tiled=self.made_for == 'tpu'))
    return len(self.sizes) - 1

  def add(
    self, reads: tuple[int, ...], makes: tuple[int, ...], name: str, inside: int
  ) -> None:
    by_element = name in _BY_ELEMENT and not (
      self.made_for == 'cuda' and name in _NOT_IN_CONVOLUTIONS
    )
    self.steps.append(_Step(reads, makes, by_element, inside))


class Peak(NamedTuple):
  """Bytes.

  Attributes:
    arguments: of all that a program is given.
    temporary: what it needs at once beside them and its results.
    moved: that are read or written in all, once by each operation.
  """

  arguments: int
  temporary: int
  moved: int


def peak(traced: core.ClosedJaxpr, made_for: platform.Platform) -> Peak:
  """The forecast.

  Args:
    traced: `jax.jit(...).trace(...).jaxpr`, or what `jax.make_jaxpr` gives.
    made_for: where the program is to run.
  """
  program = traced.jaxpr
  arguments = sum(_size(v.aval, tiled=False) for v in program.invars)
  temporary, made = _alone(program, made_for)
  # What is made is read again.
  return Peak(arguments, temporary, arguments + 2 * made)


def _size(aval: Any, *, tiled: bool) -> int:
  """Bytes of an array where it lies."""
  if not hasattr(aval, 'shape') or jnp.issubdtype(
    aval.dtype, jax.dtypes.prng_key
  ):
    return 8
  shape = list(aval.shape)
  if tiled and len(shape) > 1:
    # The batch may be the last axis instead: the cheaper one is taken.
    plain = math.prod(shape)
    padded = [
      plain // max(minor, 1) * (-(-minor // _TILE[1]) * _TILE[1])
      for minor in (shape[-1], shape[0])
    ]
    return min(padded) * np.dtype(aval.dtype).itemsize
  return math.prod(shape) * np.dtype(aval.dtype).itemsize


def _flatten(
  program: core.Jaxpr, names: dict[core.Var, int], trace: _Trace
) -> None:
  """Adds the operations of a program, with those of the programs it calls."""
  for equation in program.eqns:
    reads = [names.get(v) for v in equation.invars if isinstance(v, core.Var)]
    known = tuple(r for r in reads if r is not None)
    inner = list(_inner(equation.params))
    if equation.primitive.name in _INLINE and len(inner) == 1:
      (body,) = inner
      own = dict(_bound(body, equation, names, trace))
      _flatten(body, own, trace)
      for outside, inside in zip(equation.outvars, body.outvars, strict=True):
        if isinstance(inside, core.Var):
          names[outside] = own[inside]
        else:
          names[outside] = trace.new(outside)
      continue
    inside = max((_alone(body, trace.made_for)[0] for body in inner), default=0)
    made = {variable: trace.new(variable) for variable in equation.outvars}
    names |= made
    trace.add(known, tuple(made.values()), equation.primitive.name, inside)


def _bound(
  body: core.Jaxpr,
  equation: core.JaxprEqn,
  names: Mapping[core.Var, int],
  trace: _Trace,
) -> Iterator[tuple[core.Var, int]]:
  """The variables of a called program by those of its caller."""
  for variable in body.constvars:
    yield variable, trace.new(variable)
  given = equation.invars[len(equation.invars) - len(body.invars) :]
  for inside, outside in zip(body.invars, given, strict=True):
    if isinstance(outside, core.Var):
      yield inside, names[outside]
    else:
      yield inside, trace.new(inside)


def _inner(params: dict[str, Any]) -> Iterator[core.Jaxpr]:
  kinds = core.ClosedJaxpr | core.Jaxpr
  for value in jax.tree.leaves(params, is_leaf=lambda v: isinstance(v, kinds)):
    if isinstance(value, kinds):
      yield getattr(value, 'jaxpr', value)


def _alone(program: core.Jaxpr, made_for: platform.Platform) -> tuple[int, int]:
  """What a program, or the body of a loop, needs beside its arguments.

  Returns:
    The most bytes at once, and all that its operations make.
  """
  trace = _Trace(made_for, [], [])
  variables = (*program.constvars, *program.invars)
  names = {v: trace.new(v) for v in variables}
  given = set(names.values())
  _flatten(program, names, trace)
  results = [names[v] for v in program.outvars if isinstance(v, core.Var)]
  return _most(trace, given, results)


def _most(
  trace: _Trace, given: set[int], results: Sequence[int]
) -> tuple[int, int]:
  """The most bytes beside the arguments at a step, and all that are made."""
  sizes, steps = trace.sizes, trace.steps
  # What a variable is read from: itself, or for one that is made where it is
  # read the arrays that it is made of.
  lies: dict[int, frozenset[int]] = {v: frozenset({v}) for v in given}
  last: dict[int, int] = {}
  for number, step in enumerate(steps):
    sources = frozenset().union(*(_lies(lies, v) for v in step.reads))
    own = sum(sizes[v] for v in step.makes)
    # Small arrays, as scales of channels, may always be read again.
    large = sum(sizes[v] for v in sources - given if 8 * sizes[v] > own)
    virtual = step.by_element and large <= 1.01 * own
    for variable in step.makes:
      lies[variable] = sources if virtual else frozenset({variable})
    for source in sources:
      last[source] = number
    for variable in step.makes:
      last.setdefault(variable, number)
  for variable in results:
    for source in _lies(lies, variable):
      last[source] = len(steps)
  kept = {v for v in results if v not in given}
  there, most, total = 0, 0, 0
  ends: dict[int, list[int]] = {}
  for number, step in enumerate(steps):
    made = 0
    for variable in step.makes:
      if variable in _lies(lies, variable) and variable not in kept:
        made += sizes[variable]
        ends.setdefault(last[variable], []).append(variable)
    done = [v for v in ends.pop(number, ()) if v not in step.makes]
    freed = sum(sizes[v] for v in done)
    # Element by element, a result may take the place of what it is made of.
    most = max(
      most, there + made + step.inside - step.by_element * min(freed, made)
    )
    there += made - freed
    total += sum(sizes[v] for v in step.makes if v in _lies(lies, v))
  return most, total


def _lies(lies: Mapping[int, frozenset[int]], variable: int) -> frozenset[int]:
  return lies.get(variable, frozenset({variable}))
