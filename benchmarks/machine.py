"""What the numbers were measured on."""

import subprocess

from benchmarks import sides
from heterojax.run import environment

_PEERS = (
  'faiss-cpu',
  'fastkmeans',
  'keras',
  'onnxruntime',
  'openvino',
  'scikit-fuzzy',
  'scikit-learn',
  'scikit-learn-intelex',
  'scipy',
  'tensorflow',
  'timm',
  'torch',
  'torchvision',
)


def describe() -> dict[str, object]:
  """Processor, commit, flags and versions; starts the JAX backend."""
  done = subprocess.run(
    ['git', 'rev-parse', '--short', 'HEAD'],
    capture_output=True,
    text=True,
    check=False,
    cwd=sides.ROOT,
  )
  return {
    **environment.describe(),
    'commit': done.stdout.strip(),
    'peers': environment.versions(_PEERS),
  }
