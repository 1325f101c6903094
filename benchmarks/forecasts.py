"""What a dry run says a study takes, beside what it took: twenty studies.

python -m benchmarks.forecasts --out=FILE.json

Compared are processor seconds, so that other work of the machine counts for
little. Each study has a new cache of programs, which its dry run does not
share. `FILE.md` is the table. `--only=REGEX` chooses studies, and `--again`
keeps those that FILE.json has already.
"""

import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks import sides

_CLOSE = 0.25
_SAID = re.compile(r'In all about \d+ s, (\d+) s of all cores together')


def _given(n: int, d: int, *flags: str, study: str = 'retraining') -> list[str]:
  """A study of features that are drawn."""
  named = '--config.data.positive=yes', '--config.data.negative=no'
  return [f'--config=features:study={study}', f'{n}x{d}', *named, *flags]


def _pictures(
  n: int, side: int, *flags: str, feature: str = 'avg'
) -> list[str]:
  """A study of pictures that are made up."""
  return [
    f'--config=demo:feature={feature}',
    f'--config.data.num_images={n}',
    f'--config.data.image_size={side}',
    *flags,
  ]


_KERAS = '--config.heads.kind=keras'
_UNASKED = '--config.verdict.worlds=0'
CASES: dict[str, list[str]] = {
  'given 200 x 32': _given(200, 32),
  'given 600 x 64, keras': _given(600, 64, _KERAS),
  'given 400 x 512': _given(400, 512),
  'given 1000 x 1280, not asked': _given(1000, 1280, _UNASKED),
  'given 1000 x 1280, keras, not asked': _given(1000, 1280, _KERAS, _UNASKED),
  'given 3000 x 128, not asked': _given(3000, 128, _UNASKED),
  'given 300 x 64, sizes': _given(300, 64, study='sample_size'),
  'given 500 x 256, sizes, not asked': _given(
    500, 256, _UNASKED, study='sample_size'
  ),
  'given 800 x 64, keras, sizes, not asked': _given(
    800, 64, _KERAS, _UNASKED, study='sample_size'
  ),
  'given 400 x 128, fuzzy': _given(400, 128, '--config.cluster.method=fuzzy'),
  'given 400 x 128, 5 folds, not asked': _given(
    400, 128, '--config.split.folds=5', _UNASKED
  ),
  'pictures 120 of 64': _pictures(120, 64),
  'pictures 240 of 96': _pictures(240, 96),
  'pictures 240 of 96, whole maps': _pictures(240, 96, feature='flatten'),
  'pictures 400 of 128, not asked': _pictures(400, 128, _UNASKED),
  'pictures 200 of 224, not asked': _pictures(200, 224, _UNASKED),
  'pictures 200 of 96, bfloat16, not asked': _pictures(
    200, 96, _UNASKED, '--config.backbone.dtype=bfloat16'
  ),
  'pictures 300 of 64, 5 folds, not asked': _pictures(
    300, 64, _UNASKED, '--config.split.folds=5'
  ),
  'pictures 200 of 160, whole maps, not asked': _pictures(
    200, 160, _UNASKED, feature='flatten'
  ),
  'pictures 240 of 96, logistic': _pictures(
    240, 96, '--config.heads.kind=logistic'
  ),
}


def _features(folder: pathlib.Path, n: int, d: int) -> pathlib.Path:
  """Three groups, of which the label is to be read from the first feature."""
  numbers = np.random.default_rng(0)
  y, group = np.arange(n) % 2, numbers.integers(0, 3, n)
  x = numbers.normal(size=(3, d))[group] * 2 + numbers.normal(size=(n, d))
  x[:, 0] += y
  file = folder / 'features.npz'
  label = np.array(['no', 'yes'])[y]
  np.savez(file, features=x.astype(np.float32), label=label)
  return file


def _ran(words: list[str], cache: pathlib.Path) -> tuple[str, float]:
  """What a command printed, and its processor seconds."""
  before = resource.getrusage(resource.RUSAGE_CHILDREN)
  done = subprocess.run(
    [sys.executable, '-m', 'launch.study', *words],
    cwd=sides.ROOT,
    env=os.environ | {'HETEROJAX_CACHE': str(cache)},
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    raise RuntimeError(done.stderr.strip().splitlines()[-1])
  after = resource.getrusage(resource.RUSAGE_CHILDREN)
  spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
  return done.stdout, spent


def measure(words: list[str]) -> dict[str, float]:
  """Predicted and measured processor seconds of a study."""
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    words = list(words)
    for i, word in enumerate(words):
      if size := re.fullmatch(r'(\d+)x(\d+)', word):
        file = _features(folder, *map(int, size.groups()))
        words[i] = f'--config.data.dir={file}'
    words.append(f'--workdir={folder / "run"}')
    said, _ = _ran([*words, '--dry_run', '--target=cpu'], folder / 'dry')
    found = _SAID.search(said)
    assert found, said
    _, spent = _ran(words, folder / 'cache')
  return {'predicted': float(found[1]), 'measured': spent}


def table(found: dict[str, dict[str, float]]) -> str:
  """A line for each study, and how many were predicted well."""
  lines = [
    '| study | predicted, CPU-s | measured, CPU-s | predicted / measured |',
    '|---|---|---|---|',
  ]
  close = 0
  for name, numbers in found.items():
    ratio = numbers['predicted'] / numbers['measured']
    close += abs(ratio - 1) <= _CLOSE
    lines.append(
      f'| {name} | {numbers["predicted"]:.0f} | {numbers["measured"]:.0f}'
      f' | {ratio:.2f} |'
    )
  lines.append(f'\n{close} of {len(found)} within {_CLOSE:.0%}.')
  return '\n'.join(lines) + '\n'


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  parser.add_argument('--only', default='')
  parser.add_argument('--again', action='store_true')
  args = parser.parse_args()
  kept = args.again and args.out.exists()
  found = json.loads(args.out.read_text()) if kept else {}
  for name, words in CASES.items():
    if name not in found and re.search(args.only, name):
      found[name] = measure(words)
      print(name, found[name], flush=True)
      args.out.write_text(json.dumps(found, indent=2) + '\n')
      args.out.with_suffix('.md').write_text(table(found))


if __name__ == '__main__':
  main()
