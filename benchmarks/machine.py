"""What the numbers were measured on."""

import pathlib
import re
import subprocess

from benchmarks import sides
from heterojax import environment

_PEERS = (
    'keras',
    'onnxruntime',
    'openvino',
    'scikit-fuzzy',
    'scikit-learn',
    'tensorflow',
    'timm',
    'torch',
    'torchvision',
)


def describe() -> dict[str, object]:
  """Processor, commit, flags and versions; starts the JAX backend."""
  cpu = ''
  info = pathlib.Path('/proc/cpuinfo')
  if info.exists():
    cpu = re.search(r'model name\s*: (.*)', info.read_text())
    cpu = cpu[1] if cpu else ''
  done = subprocess.run(
      ['git', 'rev-parse', '--short', 'HEAD'],
      capture_output=True,
      text=True,
      check=False,
      cwd=sides.ROOT,
  )
  return {
      **environment.describe(),
      'cpu_model': cpu,
      'commit': done.stdout.strip(),
      'peers': environment.versions(_PEERS),
  }
