"""Time and memory of ours at growing sizes: python -m benchmarks.scaling.

Every point is measured, in a process of its own, and a straight line is fitted
to the logarithms: an exponent of 1 is time that grows with the size.
"""

import json
import pathlib
import re
import time

from absl import app
from absl import flags

from benchmarks import growth
from benchmarks import machine
from benchmarks import sweeps
import heterojax  # Appends the XLA flags before any backend exists.
from heterojax.report import drawing

_OUT = flags.DEFINE_string('out', None, 'Folder for what is written.')
_ONLY = flags.DEFINE_string('only', '', 'Regular expression of sweeps.')

flags.mark_flag_as_required('out')
del heterojax


def main(argv: list[str]) -> None:
  del argv
  folder = pathlib.Path(_OUT.value)
  folder.mkdir(parents=True, exist_ok=True)
  begin, records = time.perf_counter(), []
  for name, sweep in sweeps.SWEEPS.items():
    if not re.search(_ONLY.value, name):
      continue
    points = []
    for size in sweep.values:
      case = f'{name}={size}'
      found = growth.point('benchmarks.sweeps', case, sweeps.CASES[case])
      points.append({'size': size, **found})
      print(case, found, flush=True)
    records.append(growth.fitted(name, points))
  report = {
    'schema_version': 1,
    'machine': machine.describe(),
    'seconds': time.perf_counter() - begin,
    'sweeps': records,
  }
  (folder / 'scaling.json').write_text(json.dumps(report, indent=1) + '\n')
  with drawing.style():
    figure = drawing.encoded(growth.drawn(records), 'png')
  (folder / 'scaling.png').write_bytes(figure)


if __name__ == '__main__':
  app.run(main)
