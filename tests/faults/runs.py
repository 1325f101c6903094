"""Studies in processes of their own, killed in a stage and looked at."""

from collections.abc import Sequence
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np

from heterojax.run import run_folder

_DEADLINE = 600.0  # Seconds, of a run that neither ends nor reaches its stage.
# What differs between two runs that are the same: the clock.
_CLOCK = ('timings',)
_DATED = ('artifacts.json', 'begun.json')


def command(*arguments: str, module: str = 'study') -> list[str]:
  return [sys.executable, '-m', f'heterojax.launch.{module}', *arguments]


def finish(arguments: Sequence[str], folder: pathlib.Path) -> str:
  """Runs a study to its end; what it logged."""
  words = command(*arguments, f'--workdir={folder}')
  done = subprocess.run(words, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr[-3000:]
  return done.stderr


def kill_in(
  arguments: Sequence[str],
  folder: pathlib.Path,
  stage: str,
  seconds: float,
) -> str | None:
  """Kills a study so many seconds after it has begun a stage.

  Args:
    arguments: of the study.
    folder: its run folder.
    stage: as the log calls it, 'Features'.
    seconds: to wait.

  Returns:
    The stage that it was killed in, or None if it ended before.
  """
  log = folder / 'log.txt'
  before = log.stat().st_size if log.exists() else 0
  process = subprocess.Popen(
    command(*arguments, f'--workdir={folder}'),
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  start = time.monotonic()
  try:
    while f'{stage} ...' not in _since(log, before):
      assert time.monotonic() - start < _DEADLINE
      if process.poll() is not None:
        return None
      time.sleep(0.005)
    time.sleep(seconds)
    if process.poll() is not None:
      return None
    # The system's scheduler decides between which two instructions.
    os.kill(process.pid, signal.SIGKILL)
  finally:
    process.kill()
    process.wait()
  lines = _since(log, before).splitlines()
  begun = [line for line in lines if line.endswith(' ...')]
  return begun[-1].split()[2]


def _since(log: pathlib.Path, before: int) -> str:
  if not log.exists():
    return ''
  with log.open('rb') as file:
    file.seek(before)
    return file.read().decode()


def finished(folder: pathlib.Path) -> dict[str, int]:
  """Work that must not be lost: blocks of features, and checkpoints."""
  blocks = folder / 'features' / 'blocks.jsonl'
  lines = blocks.read_text().splitlines() if blocks.exists() else []
  found = {'blocks': max(sum(map(_is_json, lines)) - 1, 0)}
  for path in folder.glob('checkpoints/*/digests.json'):
    found[path.parent.name] = path.stat().st_mtime_ns
  for path in folder.glob('checkpoints/*/steps/*/digests.json'):
    job = path.parent.parent.parent.name
    found[f'epochs of {job}'] = max(
      found.get(f'epochs of {job}', 0), int(path.parent.name)
    )
  return found


def _is_json(line: str) -> bool:
  try:
    json.loads(line)
  except ValueError:
    return False
  return True


def described(folder: pathlib.Path) -> dict[str, str]:
  """Digest of all that a run gives, without its clock."""
  digests = {}
  for path in sorted(folder.rglob('*')):
    name = path.relative_to(folder).as_posix()
    # What was set aside, and digests of files that Orbax names at random.
    if 'damaged_' in name or path.name == 'files.json':
      continue
    own = name.startswith(('features/', 'tables/', 'figures/', 'cohort/'))
    if not path.is_file() or not (own or name.endswith(('.csv', '.json'))):
      continue
    data = path.read_bytes()
    if name == 'results.json':
      tree = json.loads(data)
      kept = {k: v for k, v in tree.items() if k not in _CLOCK}
      data = run_folder.to_json(kept).encode()
    elif name in _DATED:
      continue
    digests[name] = hashlib.blake2b(data, digest_size=16).hexdigest()
  return digests


def moments(seed: int, count: int, most: float) -> list[float]:
  """Random seconds, from 0 to most."""
  return np.random.default_rng(seed).uniform(0, most, count).tolist()
