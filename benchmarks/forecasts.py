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
  'given 250 x 48': _given(250, 48),
  'given 700 x 96, keras': _given(700, 96, _KERAS),
  'given 350 x 700': _given(350, 700, '--config.seed=5'),
  'given 450 x 150, mixture': _given(450, 150, '--config.cluster.method=gmm'),
  'given 320 x 80, sizes': _given(320, 80, study='sample_size'),
  'pictures 160 of 80': _pictures(160, 80),
  'pictures 150 of 128, logistic': _pictures(
    150, 128, '--config.heads.kind=logistic'
  ),
  'pictures 130 of 72, whole maps': _pictures(130, 72, feature='flatten'),
  'given 1500 x 600, not asked': _given(1500, 600, _UNASKED),
  'given 2400 x 200, keras, not asked': _given(2400, 200, _KERAS, _UNASKED),
  'given 4000 x 40, not asked': _given(4000, 40, _UNASKED, '--config.seed=7'),
  'given 700 x 160, sizes, not asked': _given(
    700, 160, _UNASKED, study='sample_size'
  ),
  'given 1000 x 40, keras, sizes, not asked': _given(
    1000, 40, _KERAS, _UNASKED, study='sample_size'
  ),
  'given 600 x 90, 4 folds, not asked': _given(
    600, 90, '--config.split.folds=4', _UNASKED
  ),
  'given 800 x 300, fuzzy, 5 clusters, not asked': _given(
    800, 300, '--config.cluster.method=fuzzy', '--config.cluster.k=5', _UNASKED
  ),
  'pictures 350 of 112, not asked': _pictures(350, 112, _UNASKED),
  'pictures 150 of 192, not asked': _pictures(150, 192, _UNASKED),
  'pictures 250 of 96, 3 folds, not asked': _pictures(
    250, 96, _UNASKED, '--config.split.folds=3'
  ),
  'pictures 180 of 112, whole maps, bfloat16, not asked': _pictures(
    180,
    112,
    _UNASKED,
    '--config.backbone.dtype=bfloat16',
    feature='flatten',
  ),
  'pictures 260 of 72, five classes, not asked': _pictures(
    260, 72, _UNASKED, feature='avg,five'
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
