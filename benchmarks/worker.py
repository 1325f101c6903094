"""One side of the cases of a module: python -m benchmarks.worker MODULE SIDE.

Not for people: `benchmarks.turns` starts it and talks to it in lines of JSON.
"""

from collections.abc import Callable
import gc
import importlib
import json
import os
import pathlib
import sys
import time

import numpy as np

from benchmarks import sides


def _take_part(
  case: sides.Case, side: str, scale: sides.Scale, answer: Callable[..., None]
) -> None:
  """In one case: sets up, runs at every 'run', and ends at another line."""
  if side == sides.PREPARE:
    case.prepare(scale)
    answer(prepared=True)
    return
  start = time.perf_counter()
  own = case.sides[side](scale)
  setup = time.perf_counter() - start
  answer(fraction=own.fraction, steady=own.steady, setup=setup)
  sides.forget_peak()
  before, result = sides.memory(), None
  while json.loads(sys.stdin.readline()) == 'run':
    start = time.perf_counter()
    result = own.run()
    answer(seconds=time.perf_counter() - start)
  after = sides.memory()
  np.savez(scale.folder / sides.file_name(side), **own.compared(result))
  answer(memory=sides.added(before, after))


def main() -> None:
  module, side = sys.argv[1:]
  # Libraries print what they like; answers have a stream of their own.
  answers = os.fdopen(os.dup(1), 'w', buffering=1)
  os.dup2(2, 1)

  def answer(**values: object) -> None:
    answers.write(json.dumps(values) + '\n')

  cases = importlib.import_module(module).CASES
  for line in sys.stdin:
    name, full, folder = json.loads(line)
    scale = sides.Scale(full, pathlib.Path(folder))
    try:
      _take_part(cases[name], side, scale, answer)
    except (ImportError, FileNotFoundError) as error:
      answer(missing=str(error))
    gc.collect()


if __name__ == '__main__':
  main()
