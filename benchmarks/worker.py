"""One side of one case: python -m benchmarks.worker MODULE NAME SIDE ...

Not for people: `benchmarks.turns` starts it and talks to it in lines of JSON.
"""

import importlib
import json
import os
import pathlib
import sys
import time
from typing import Any

import numpy as np

from benchmarks import sides


def main() -> None:
  module, name, side, full, folder = sys.argv[1:]
  # Libraries print what they like; answers have a stream of their own.
  answers = os.fdopen(os.dup(1), 'w', buffering=1)
  os.dup2(2, 1)

  def answer(**values: Any) -> None:
    answers.write(json.dumps(values) + '\n')

  scale = sides.Scale(full == 'full', pathlib.Path(folder))
  case = importlib.import_module(module).CASES[name]
  try:
    if side == 'prepare':
      case.prepare(scale)
      answer(prepared=True)
      return
    start = time.perf_counter()
    own = case.sides[side](scale)
    setup = time.perf_counter() - start
    answer(fraction=own.fraction, steady=own.steady, setup=setup)
    sides.forget_peak()
    before, result = sides.memory(), None
    for _ in sys.stdin:
      start = time.perf_counter()
      result = own.run()
      answer(seconds=time.perf_counter() - start)
    after = sides.memory()
    np.savez(scale.folder / sides.file_name(side), **own.compared(result))
    answer(memory=sides.added(before, after))
  except (ImportError, FileNotFoundError) as error:
    answer(missing=str(error))


if __name__ == '__main__':
  main()
