"""Which functions of the library are compiled: found in its source.

Those of statements that name `jax.jit`, as a decorator or inside; what is
given to `cores.program`, `cores.compiled` or `division.program`, which is all
that a function with such a call names and does not call; and those that make a
network of `forward`.
"""

import ast
from collections.abc import Iterator
import functools
import pathlib

import heterojax

_LIBRARY = pathlib.Path(heterojax.__file__).parent
_JITS = {'jax.jit', 'jax.pmap', 'nnx.jit', 'nnx.pmap'}
_PROGRAMS = {'cores.program', 'cores.compiled', 'division.program'}
# They compile what others give them, which is found there.
_GIVEN = {
  'compute.cores.jitted',
  'compute.division._program',
  'compute.forward.programs',
}


def found() -> set[str]:
  """Names as in 'cluster.pca._finish'."""
  files = sorted(_LIBRARY.rglob('*.py'))
  names = {name for file in files for name in _of_module(_module(file))}
  assert names >= _GIVEN, _GIVEN - names
  return names - _GIVEN


def _module(file: pathlib.Path) -> str:
  parts = file.relative_to(_LIBRARY).with_suffix('').parts
  return '.'.join(parts).removesuffix('.__init__')


@functools.cache
def _parsed(module: str) -> ast.Module | None:
  path = _LIBRARY.joinpath(*module.split('.'))
  for file in (path.with_suffix('.py'), path / '__init__.py'):
    if file.exists():
      return ast.parse(file.read_text())
  return None


def _functions(module: str) -> set[str]:
  tree = _parsed(module)
  body = tree.body if tree else ()
  return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def _of_module(module: str) -> Iterator[str]:
  tree = _parsed(module)
  assert tree is not None
  imported = {
    alias.asname or alias.name: f'{node.module}.{alias.name}'
    for node in tree.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
  }
  for node in tree.body:
    named = {ast.unparse(n) for n in ast.walk(node) if _is_name(n)}
    if named & _JITS:
      yield f'{module}.{_own_name(node)}'
    if named & _PROGRAMS:
      given = set(_given(node, module, imported))
      yield from given or {f'{module}.{_own_name(node)}'}
    returns = getattr(node, 'returns', None)
    if returns is not None and ast.unparse(returns) == 'forward.Network':
      yield f'{module}.{_own_name(node)}'


def _is_name(node: ast.AST) -> bool:
  return isinstance(node, ast.Name | ast.Attribute)


def _own_name(node: ast.stmt) -> str:
  if isinstance(node, ast.FunctionDef):
    return node.name
  assert isinstance(node, ast.Assign), ast.dump(node)
  return ast.unparse(node.targets[0])


def _given(
  node: ast.stmt, module: str, imported: dict[str, str]
) -> Iterator[str]:
  """Functions of the library that a statement names and does not call."""
  called = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
  for part in ast.walk(node):
    if not _is_name(part) or id(part) in called:
      continue
    before, _, name = ast.unparse(part).rpartition('.')
    where = module
    if before:
      package, _, where = imported.get(before, '').partition('.')
      if package != 'heterojax':
        continue
    if name in _functions(where):
      yield f'{where}.{name}'
