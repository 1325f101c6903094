"""Writes into docs/accelerators.md what compiled, and what memory it takes.

PYTHONPATH=tests python tests/accelerators/table.py h100
"""

import pathlib
import re
import sys
import time

import jax
import programs
import targets

_PAGE = pathlib.Path(__file__).parents[2] / 'docs' / 'accelerators.md'
_HEAD = (
  '| program | compiling, CPU-s | arguments, MB | temporary, MB |\n'
  '|---|---|---|---|\n'
)


def rows(target: targets.Target, only: str) -> str:
  """A line for each program whose title has the pattern."""
  lines = []
  for program in programs.every():
    if re.search(only, program.title) and targets.has(program, target):
      start = time.process_time()
      planned = targets.compiled(program, target).memory_analysis()
      seconds = time.process_time() - start
      lines.append(
        f'| `{program.name}` {program.kind} | {seconds:.1f}'
        f' | {planned.argument_size_in_bytes / 1e6:.1f}'
        f' | {planned.temp_size_in_bytes / 1e6:.1f} |\n'
      )
      print(lines[-1], end='', flush=True)
  return _HEAD + ''.join(lines)


def main(name: str, only: str = '') -> None:
  # As every command does; see `arithmetic.start`.
  jax.config.update('jax_default_matmul_precision', 'highest')
  found = rows(targets.TARGETS[name], only)
  begin, end = f'<!-- {name} -->\n', f'<!-- end of {name} -->'
  page = _PAGE.read_text()
  before, _, rest = page.partition(begin)
  _, _, after = rest.partition(end)
  _PAGE.write_text(f'{before}{begin}{found}{end}{after}')


if __name__ == '__main__':
  main(*sys.argv[1:])
