"""heterojax beside its peers: python -m benchmarks.run --out=FILE.json.

Every side of a comparison is a process of its own; sides take turns, so that
all see the same machine, and medians are compared. What the first run of a side
takes, which compiles or traces, stands apart. A ratio above 1 means that ours
is faster. `--suite=quick` has fewer peers, lets a slow one do a stated fraction
of the work and extrapolates; `full` lets it do all, but for what Keras would
take hours for. Peers come from the extra `parity`; a missing one is reported.
"""

from collections.abc import Iterator
import contextlib
import importlib
import json
import pathlib
import re
import sys
import time
from typing import Any

from absl import app
from absl import flags

from benchmarks import machine
from benchmarks import sides
from benchmarks import table
from benchmarks import turns
import heterojax  # Appends the XLA flags before any backend exists.

_SUITE = flags.DEFINE_enum(
  'suite', 'quick', ['quick', 'full'], 'How much peers do, in how many turns.'
)
_ONLY = flags.DEFINE_string('only', '', 'Regular expression of names.')
_OUT = flags.DEFINE_string('out', None, 'JSON file to write, and a .md beside.')
_COMPARE = flags.DEFINE_string('compare', None, 'JSON file of an earlier run.')
_THRESHOLD = flags.DEFINE_float(
  'threshold', 1.3, 'With --compare: a ratio that fell by more is a failure.'
)

flags.mark_flag_as_required('out')
del heterojax


def _write(report: dict[str, Any]) -> None:
  """After every case, so that an interrupted suite keeps what it has."""
  out = pathlib.Path(_OUT.value)
  out.write_text(json.dumps(report, indent=1) + '\n')
  out.with_suffix('.md').write_text(table.markdown(report))


def _measured(module: str) -> Iterator[tuple[str, list[dict[str, Any]], float]]:
  """Name, records and seconds of each case.

  Starting libraries would be a quarter of the quick suite, whose processes stay
  for all cases of a module.
  """
  full = _SUITE.value == 'full'
  with contextlib.ExitStack() as stack:
    crew = None
    for name, case in importlib.import_module(module).CASES.items():
      if re.search(_ONLY.value, name):
        start = time.perf_counter()
        if crew is None or full:
          stack.close()
          crew = stack.enter_context(turns.Crew(module))
        new = turns.measure(crew, name, case, full)
        yield name, new, time.perf_counter() - start


def main(argv: list[str]) -> None:
  del argv
  begin = time.perf_counter()
  report = {
    'schema_version': 1,
    'suite': _SUITE.value,
    'machine': machine.describe(),
    'seconds': 0.0,
    'case_seconds': {},
    'records': [],
  }
  for module in sides.MODULES:
    for name, new, seconds in _measured(f'benchmarks.{module}'):
      report['case_seconds'][name] = seconds
      report['seconds'] = time.perf_counter() - begin
      report['records'] += new
      _write(report)
      for record in new:
        print(table.line(record), flush=True)
  _write(report)
  if _COMPARE.value:
    old = json.loads(pathlib.Path(_COMPARE.value).read_text())
    slower = table.slower(old, report, _THRESHOLD.value)
    print('\n'.join(slower) or 'Nothing is slower than it was.')
    sys.exit(bool(slower))


if __name__ == '__main__':
  app.run(main)
