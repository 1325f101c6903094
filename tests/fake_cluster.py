"""Commands of clusters that only write down how they were called.

`install` puts them on a PATH. sbatch also runs the batch file as SLURM would,
once for each task of an array and without any node.
"""

import os
import pathlib
import subprocess
import sys

NAMES = ('sbatch', 'srun', 'kubectl', 'gcloud', 'docker', 'heterojax')
_CALLS = 'HETEROJAX_FAKE_CALLS'
_JOB = '7'
_END = '\036'  # Of a call; a NUL ends each of its words.
_PROGRAM = rf"""#!/bin/sh
name=${{0##*/}}
last=
for word; do last=$word; done
if [ "$last" = - ]; then set -- "$@" "$(cat)"; fi
printf '%s\0' "$name" "$@" '{_END}' >> "${_CALLS}"
case "$name $*" in
  sbatch*) {sys.executable} -SE {__file__} "$@" ;;
  *describe*) echo ACTIVE ;;
esac
"""


def install(folder: pathlib.Path) -> dict[str, str]:
  """The environment in which the commands are these."""
  folder.mkdir()
  for name in NAMES:
    (folder / name).write_text(_PROGRAM)
    (folder / name).chmod(0o755)
  return {
    **os.environ,
    'PATH': f'{folder}{os.pathsep}{os.environ["PATH"]}',
    _CALLS: str(folder / 'calls'),
  }


def calls(environment: dict[str, str]) -> list[list[str]]:
  """Each call: the command and its words, and after a last `-` what it read."""
  file = pathlib.Path(environment[_CALLS])
  text = file.read_text() if file.exists() else ''
  return [call.split('\0')[:-1] for call in text.split(f'{_END}\0') if call]


def options(text: str) -> list[str]:
  """What a batch file asks for, in the lines before its first command."""
  head, found = text.splitlines(), []
  for line in head:
    if line.startswith('#SBATCH '):
      found.append(line.removeprefix('#SBATCH '))
    elif line and not line.startswith('#'):
      break
  return found


def _tasks(array: str) -> list[int]:
  tasks: list[int] = []
  for part in array.partition('%')[0].split(','):
    first, _, last = part.partition('-')
    tasks += range(int(first), int(last or first) + 1)
  return tasks


def sbatch(words: list[str]) -> int:
  """Runs a batch file, as often as it or the words say; the worst exit code."""
  at = next(i for i, word in enumerate(words) if not word.startswith('--'))
  batch, own = pathlib.Path(words[at]), words[:at]
  if '--parsable' in own:
    print(_JOB)
  asked = dict(
    word.removeprefix('--').partition('=')[::2]
    for word in (*options(batch.read_text()), *own)
  )
  shared = {**os.environ, 'SLURM_JOB_ID': _JOB}
  environments = [shared]
  if 'array' in asked:
    tasks = _tasks(asked['array'])
    count = {'SLURM_ARRAY_TASK_COUNT': str(len(tasks))}
    environments = [
      {**shared, **count, 'SLURM_ARRAY_TASK_ID': str(task)} for task in tasks
    ]
  codes = [
    subprocess.run(['bash', batch, *words[at + 1 :]], env=env).returncode
    for env in environments
  ]
  return max(codes)


if __name__ == '__main__':
  sys.exit(sbatch(sys.argv[1:]))
