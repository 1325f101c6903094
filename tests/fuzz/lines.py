"""Which lines of the readers an input reaches, and which of them count.

A line counts that belongs to a function which an input reached, or to one that
such a function names, and so on; a class that is named stands for all of its
methods. What is left out are functions of the same modules that reading does
not need, such as those that write, what runs when a module is imported, and
what says that a package is missing, which no input can bring about.
"""

import ast
from collections.abc import Iterator
import json
import os
import pathlib
import sys
import threading
from types import CodeType
from types import FrameType
from typing import Any, NamedTuple

import heterojax

# Which modules read which kind; the rest of the package is not looked at.
KINDS = {
  'weights': (
    'backbones/weight_files/__init__.py',
    'backbones/weight_files/t',
    'backbones/sources.py',
  ),
  'weights hdf5': ('backbones/weight_files/keras_h5',),
  'features npz': ('datasets/npz.py',),
  'features table': ('datasets/feature_', 'datasets/ready.py'),
  'folder table': (
    'datasets/folder.py',
    'datasets/tables.py',
    'datasets/headers.py',
  ),
  'medmnist npz': ('datasets/medmnist.py',),
  'dicom': ('datasets/dicom.py', 'datasets/dicom_frames.py'),
  'image': (
    'datasets/images.py',
    'datasets/pixels.py',
    'datasets/content.py',
    'datasets/png.py',
  ),
  'prepared data': ('datasets/prepared.py',),
  'fail_if': ('records/conditions.py', 'records/foretell.py'),
}
# Names a file to which a traced process of its own adds what it reached.
ELSEWHERE = 'HETEROJAX_FUZZ_LINES'
_PACKAGE = pathlib.Path(heterojax.__file__).parent
_FUNCTION = 2  # Of `co_flags`: CO_NEWLOCALS, which no body of a class has.
_COMPREHENSIONS = '<dictcomp>', '<genexpr>', '<listcomp>', '<setcomp>'
_MISSING = 'ImportError', 'ModuleNotFoundError'

Line = tuple[str, int]


class Trace:
  """Lines of some files that run, and from which to which."""

  def __init__(self, files: list[pathlib.Path]) -> None:
    self._files = {str(path) for path in files}
    self.seen: set[Line] = set()
    self.steps: set[tuple[str, int, int]] = set()

  def __enter__(self) -> None:
    self._told_elsewhere()  # Of an input that nobody looked at.
    threading.settrace(self._enter)
    sys.settrace(self._enter)

  def __exit__(self, *_: object) -> None:
    sys.settrace(None)
    threading.settrace(None)  # pyright: ignore[reportArgumentType]
    steps = self._told_elsewhere()
    self.steps |= {(file, a, b) for file, a, b in steps}
    self.seen |= {(file, b) for file, _, b in steps}

  def _told_elsewhere(self) -> list[list[Any]]:
    there = pathlib.Path(os.environ.get(ELSEWHERE, os.devnull))
    if not there.is_file():
      return []
    steps = json.loads(there.read_text(encoding='utf-8'))
    there.unlink()
    return steps

  def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
    del event, arg
    file, last = frame.f_code.co_filename, 0
    if file not in self._files:
      return None

    def step(frame: FrameType, event: str, arg: Any) -> Any:
      nonlocal last
      del arg
      if event == 'line':
        self.seen.add((file, frame.f_lineno))
        self.steps.add((file, last, frame.f_lineno))
        last = frame.f_lineno
      return step

    return step


class _Function(NamedTuple):
  """A function or method, with what is inside of it."""

  path: str
  names: set[str]  # By which it can be named: its own, its class's.
  lines: set[Line]
  named: set[str]


def modules(kind: str) -> list[pathlib.Path]:
  """The files of the modules that read a kind."""
  return [
    path
    for path in _PACKAGE.rglob('*.py')
    if path.relative_to(_PACKAGE).as_posix().startswith(KINDS[kind])
  ]


def counted(kind: str, ran: set[Line]) -> set[Line]:
  """The lines that count, see above.

  Args:
    kind: of inputs.
    ran: lines that were reached.
  """
  left = [f for path in modules(kind) for f in _functions(path)]
  lines, names = set(), set()
  while found := [f for f in left if f.lines & ran or f.names & names]:
    left = [f for f in left if f not in found]
    for function in found:
      lines |= function.lines
      names |= function.named
  return lines


def _functions(path: pathlib.Path) -> Iterator[_Function]:
  def within(code: CodeType, above: set[str]) -> Iterator[_Function]:
    for inner in _codes(code):
      names = above | {inner.co_name}
      if inner.co_name in _COMPREHENSIONS:
        continue
      if inner.co_flags & _FUNCTION:
        lines, named = _content(inner)
        lines -= missing
        yield _Function(
          str(path), names, {(str(path), n) for n in lines}, named
        )
      else:
        yield from within(inner, names)

  text = path.read_text(encoding='utf-8')
  missing = {
    number
    for node in ast.walk(ast.parse(text))
    if isinstance(node, ast.ExceptHandler) and _is_of_import(node)
    for number in range(node.lineno, (node.end_lineno or 0) + 1)
  }
  yield from within(compile(text, str(path), 'exec'), set())


def _is_of_import(node: ast.ExceptHandler) -> bool:
  return isinstance(node.type, ast.Name) and node.type.id in _MISSING


def _content(code: CodeType) -> tuple[set[int], set[str]]:
  """Numbers of a function's lines but its first, and the names in it."""
  lines = {n for *_, n in code.co_lines() if n and n != code.co_firstlineno}
  names = {*code.co_names}
  for inner in _codes(code):
    more, others = _content(inner)
    lines, names = lines | more, names | others
  return lines, names


def _codes(code: CodeType) -> list[CodeType]:
  return [inner for inner in code.co_consts if isinstance(inner, CodeType)]
