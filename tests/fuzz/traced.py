"""Runs the script that reads HDF5, and tells which of its lines ran.

It stands in for the script, with the same arguments.
"""

import json
import os
import pathlib
import runpy

from fuzz import lines

_SCRIPT = next(
  path
  for path in lines.modules('weights hdf5')
  if path.name == 'keras_h5_script.py'
)


def main() -> None:
  into = pathlib.Path(os.environ.pop(lines.ELSEWHERE))
  trace = lines.Trace([_SCRIPT])
  try:
    with trace:
      runpy.run_path(str(_SCRIPT), run_name='__main__')
  finally:
    into.write_text(json.dumps([*trace.steps]), encoding='utf-8')


if __name__ == '__main__':
  main()
