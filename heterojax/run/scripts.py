"""Scripts of our own that read what may crash a library.

Each is a process: what is damaged then ends it, and not the run.
"""

import os
import pathlib
import subprocess
import sys


def run(
  script: pathlib.Path, path: pathlib.Path
) -> 'subprocess.CompletedProcess[bytes]':
  """What a script prints about a file, and its exit code.

  Args:
    script: of this package, which imports nothing of it.
    path: of the file, which is its argument.
  """
  return subprocess.run(
    # The folder of the script is no place to import from.
    [sys.executable, '-P', str(script), str(path.absolute())],
    capture_output=True,
    check=False,
    env=os.environ | {'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
  )
