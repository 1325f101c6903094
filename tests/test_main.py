"""The one command: what its words mean, what it says, and how soon."""

import ast
import importlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import webbrowser

import pytest

from heterojax.cli import commands
from heterojax.cli import completion
from heterojax.cli import configurations
from heterojax.cli import runs
from heterojax.cli import texts
from heterojax.compute import variables
from heterojax.configs import demo
from heterojax.errors import Interrupted
from heterojax.errors import UserError
from heterojax.launch import main as launch
from heterojax.launch import study
from heterojax.run import run_folder
from heterojax.studies import checks
from heterojax.studies.checks import FIELDS
from heterojax.version import __version__


def _main(*words: str) -> int:
  return launch.main(['heterojax', *words])


def _mistake(capsys: pytest.CaptureFixture, *words: str) -> str:
  """The one sentence of a mistake."""
  assert _main(*words) == 2
  said = capsys.readouterr()
  (line,) = said.err.splitlines()
  assert line.startswith('heterojax: ') and said.out == ''
  return line


def test_help_is_one_screen_with_three_examples(capsys) -> None:
  for words in ((), ('--help',), ('help',)):
    assert _main(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) <= 80
  examples = lines[lines.index('Examples:') + 1 :]
  assert examples.index('') == 3
  shown = {line.split()[0] for line in lines if line.startswith('  ')}
  assert shown >= commands.COMMANDS.keys()


def test_the_version(capsys) -> None:
  assert _main('--version') == 0
  assert capsys.readouterr().out == f'heterojax {__version__}\n'


def test_helpfull_has_every_field(capsys) -> None:
  assert _main('--helpfull') == 0
  text = capsys.readouterr().out
  for field in FIELDS.values():
    assert f'  {field.name}={field.default_text}\n' in text
  with pytest.raises(SystemExit) as done:
    _main('run', '--helpfull')
  assert done.value.code == 0
  assert '  cluster.k=4\n' in capsys.readouterr().out


@pytest.mark.parametrize('name', commands.COMMANDS)
def test_each_command_is_a_module_of_launch(name: str, capsys) -> None:
  module = commands.COMMANDS[name].module
  text = importlib.import_module(f'heterojax.launch.{module}').__doc__
  with pytest.raises(SystemExit) as done:
    _main(name, '--help')
  assert done.value.code == 0
  assert capsys.readouterr().out.startswith(text)
  assert 'Exit codes: ' in text


@pytest.fixture(name='given')
def _given(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
  """The command lines that a study got."""
  got: list[list[str]] = []

  def main(argv: list[str]) -> int:
    got.append(argv)
    return 0

  monkeypatch.setattr(study, 'main', main)
  return got


@pytest.mark.parametrize(
  ('words', 'argv'),
  [
    (['run', 'DATA', '--debug'], ['heterojax run', 'DATA', '--debug']),
    (['DATA', 'data.group=x'], ['heterojax run', 'DATA', 'data.group=x']),
    (['--config=demo'], ['heterojax run', '--config=demo']),
    (['demo', 'seed=1'], ['heterojax run', '--config=demo', 'seed=1']),
  ],
)
def test_what_runs_a_study(words, argv, given) -> None:
  assert _main(*words) == 0
  assert given == [argv]


@pytest.mark.parametrize(
  ('words', 'says'),
  [
    (['comapre'], 'did you mean compare?'),
    (['run', 'dmo'], 'did you mean demo?'),
    (['run', './nowhere'], 'no file or folder of that name exists'),
    (['run', '--workdri=x'], 'no flag --workdri: did you mean --workdir?'),
    (['verify', '--rern=x'], 'no flag --rern: did you mean --rerun?'),
    (['demo', '--sed=1'], 'did you mean --seed?'),
    (['demo', 'positive=1'], 'did you mean --data.positive?'),
    (['demo', '--data.dri=x'], 'did you mean data.dir?'),
    (['demo', 'data.dri=x'], 'did you mean data.dir?'),
    (['demo', '--config=folde'], 'did you mean folder?'),
    (['demo', 'fundus'], "'fundus' is the second value of --config"),
    (['demo', '--config=folder'], 'are two configurations: give one'),
    (['demo', '--seed'], '--config.seed needs a value'),
    (['demo', 'heads.kind=x'], 'one of keras, logistic'),
    (['run', '--config=folder', 'data.dir=nope'], 'nope does not exist'),
    (['run', '--config=folder'], '--config.data.dir must name'),
    (['demo', '/'], 'demo is made up, and --config.data.dir (/) is'),
    (['run'], 'Say what to run'),
    (['run', 'data.positive=1'], 'Say what to run'),
    (['bakeoff', 'data.positive=1', '--features=a.csv'], 'Say what to run'),
    (['list', 'nope'], 'no folder nope'),
    (['open', 'nope'], 'nope is no run folder'),
    (['init'], 'heterojax init NAME'),
    (['completion', 'tcsh'], 'bash|zsh|fish'),
    (['features', 'demo'], '--out=FILE.npz'),
  ],
)
def test_a_mistake_is_told_before_anything_is_imported(
  words, says, capsys, monkeypatch, tmp_path
) -> None:
  def fail() -> None:
    raise AssertionError

  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(variables, 'import_jax', fail)
  assert says in _mistake(capsys, *words)
  assert list(tmp_path.iterdir()) == []


def test_a_run_is_no_data(tmp_path, capsys, monkeypatch) -> None:
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'mine').mkdir()
  run_folder.begin(tmp_path / 'mine', {}, {}, 'heterojax', '')
  assert 'mine is the folder of a run and not' in _mistake(
    capsys, 'run', 'mine'
  )


_HEAVY = ('jax', 'numpy', 'matplotlib', 'sklearn', 'scipy', 'pyarrow', 'PIL')
_CODE = f"""
import contextlib, importlib, io, sys
from heterojax.cli import commands
from heterojax.launch import main
with contextlib.redirect_stdout(io.StringIO()):
  main.main(['heterojax', '--help'])
  main.main(['heterojax', 'demo', '--data.dri=x'])
  main.main(['heterojax', '--config=folder', '--data.dir=nope'])
for command in commands.COMMANDS.values():
  importlib.import_module('heterojax.launch.' + command.module)
print(*[name for name in {_HEAVY} if name in sys.modules])
"""


@pytest.mark.medium
def test_help_and_mistakes_import_nothing_that_takes_long() -> None:
  done = subprocess.run(
    [sys.executable, '-c', _CODE], capture_output=True, text=True, check=True
  )
  assert done.stdout == '\n'
  assert len(done.stderr.splitlines()) == 2


def test_the_first_line_comes_before_the_imports(
  capsys, monkeypatch, tmp_path
) -> None:
  def stop() -> None:
    raise UserError('Stopped.')

  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(variables, 'import_jax', stop)
  (tmp_path / 'DATA').mkdir()
  assert _main('DATA/') == 2
  first, last = capsys.readouterr().err.splitlines()
  assert re.fullmatch(
    r'Reading DATA \(folder\); results go to runs/DATA-[0-9a-f]{8} \.\.\.',
    first,
  )
  assert last == 'heterojax: Stopped.'


def test_above_a_link_is_where_it_leads(capsys, monkeypatch, tmp_path) -> None:
  """`link/../DATA` was DATA here, and another one was meant."""

  def stop() -> None:
    raise UserError('Stopped.')

  monkeypatch.setattr(variables, 'import_jax', stop)
  for folder in ('here/DATA', 'far/DATA', 'far/below'):
    (tmp_path / folder).mkdir(parents=True)
  (tmp_path / 'here' / 'link').symlink_to(tmp_path / 'far' / 'below')
  monkeypatch.chdir(tmp_path / 'here')
  assert _main('./link/..//DATA/') == 2
  assert 'Reading link/../DATA (folder)' in capsys.readouterr().err


@pytest.mark.parametrize(
  ('program', 'resumes'),
  [
    ('/a b/heterojax', "'/a b/heterojax' run --config=demo 'data.where=a=b c'"),
    ('x/launch/main.py', 'python -m launch.main run --config=demo '),
  ],
)
def test_what_resumes_a_run(program, resumes, monkeypatch, capsys) -> None:
  def stop() -> None:
    raise Interrupted('Stopped.')

  monkeypatch.setattr(variables, 'import_jax', stop)
  assert launch.main([program, 'demo', 'data.where=a=b c']) == 3
  last = capsys.readouterr().err.splitlines()[-1]
  assert last.startswith(f'Resume with: {resumes}')


def _config(**fields: object) -> dict:
  config = demo.get_config()
  config.update_from_flattened_dict(fields)
  return config.to_dict()


def test_the_default_folder_is_that_of_the_same_settings() -> None:
  name = runs.default(_config(), '/x/demo.py:control')
  assert re.fullmatch('runs/demo-[0-9a-f]{8}', name)
  assert runs.default(_config(), '/y/demo.py') == name
  assert runs.default(_config(seed=1), '/x/demo.py') != name
  of_data = runs.default(_config(**{'data.dir': '/a/My data.csv'}), 'x.py')
  assert of_data.startswith('runs/My_data-')


@pytest.mark.parametrize(
  ('name', 'text', 'config'),
  [
    ('a.csv', 'path,label\nx,1\n', 'folder'),
    ('a.csv', 'id_code;diagnosis\n17;2\n', 'folder'),
    ('a.csv', 'key,dx\nx/y.PNG,1\n', 'folder'),
    ('a.csv', 'id,label,f0,f1\n1,2,0.5,0.5\n', 'features'),
    ('a.tsv', 'label\tmean radius\n1\t0.5\n', 'features'),
    ('a.csv', 'label,image_mean\n1,0.5\n', 'features'),
    ('a.csv', 'dx,"Image Index"\n1,x\n', 'folder'),
    ('a.csv', '', 'features'),
    ('a.parquet', '', 'features'),
    ('a.npz', '', 'features'),
  ],
)
def test_the_configuration_for_a_file(tmp_path, name, text, config) -> None:
  path = tmp_path / name
  path.write_text(text)
  assert configurations.fitting(path) == config
  assert configurations.fitting(tmp_path) == 'folder'


def test_medmnist_is_images(tmp_path) -> None:
  np = pytest.importorskip('numpy')
  np.savez(tmp_path / 'a.npz', train_images=np.zeros(1))
  np.savez(tmp_path / 'b.npz', features=np.zeros(1))
  assert configurations.fitting(tmp_path / 'a.npz') == 'folder'
  assert configurations.fitting(tmp_path / 'b.npz') == 'features'


@pytest.mark.parametrize('name', ['a.csv', 'a.npz'])
@pytest.mark.parametrize('device', ['pipe', '/dev/zero'])
def test_what_never_ends_is_no_file(tmp_path, capsys, name, device) -> None:
  path = tmp_path / name
  if device == 'pipe':
    os.mkfifo(path)
  else:
    path.symlink_to(device)
  assert _main(str(path), '--dry_run') == 2
  assert str(path) in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
  'words',
  [['features', 'a.npz', '--out=a.npz'], ['a.csv', '--junit=a.csv']],
)
def test_what_is_read_is_not_written_over(
  tmp_path, monkeypatch, capsys, words
) -> None:
  np = pytest.importorskip('numpy')
  monkeypatch.chdir(tmp_path)
  np.savez('a.npz', train_images=np.zeros(1))
  pathlib.Path('a.csv').write_text('label,f\n1,0.5\n')
  before = {path: path.read_bytes() for path in tmp_path.iterdir()}
  assert 'which is read, too' in _mistake(capsys, *words)
  assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_a_damaged_archive_is_no_traceback(tmp_path) -> None:
  path = tmp_path / 'a.npz'
  # The end of an archive, which tells of a list of members that is not there.
  path.write_bytes(b'PK\5\6' + b'\0' * 8 + b'\xff' * 8 + b'\0' * 2)
  assert configurations.fitting(path) == 'features'


def test_runs_and_their_answers(tmp_path, capsys) -> None:
  assert _main('list', str(tmp_path)) == 0
  assert capsys.readouterr().out == f'There are no runs in {tmp_path}.\n'
  config = json.dumps({'study': 'retraining', 'data': {'dir': 'DATA'}})
  for name, results in (
    ('a', json.dumps({'verdict': {'answer': 'no_sign'}})),
    ('b', None),
    ('c', '{'),
  ):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'config.json').write_text(config)
    if results:
      (tmp_path / name / 'results.json').write_text(results)
  assert _main('list', str(tmp_path)) == 0
  assert capsys.readouterr().out.splitlines() == [
    f'{tmp_path}/a: retraining, DATA: no sign',
    f'{tmp_path}/b: retraining, DATA: not finished',
    f'{tmp_path}/c: retraining, DATA: no answer',
  ]


@pytest.mark.parametrize(
  'text',
  ['[]', '{"data": "x"}', '{"data": {}}', '[' * 100_000, '9' * 5000, '\xff'],
)
def test_runs_whose_files_hold_anything(tmp_path, capsys, text) -> None:
  run = tmp_path / 'run'
  run.mkdir()
  for name in ('config.json', 'results.json'):
    (run / name).write_text(text, 'latin-1')
  (run / 'results.json').write_text('{"verdict": "yes"}')
  assert _main('list', str(tmp_path)) == 0
  assert capsys.readouterr().out == f'{run}: ?, ?: no answer\n'
  for name in ('config.json', 'results.json'):
    (run / name).unlink()
    os.mkfifo(run / name)
  assert _main('list', str(tmp_path)) == 0
  assert 'no answer' in capsys.readouterr().out


def test_what_there_is(capsys) -> None:
  assert _main('list') == 0
  text = capsys.readouterr().out
  for name in ('fundus ', 'odir5k', 'resnet18 '):
    assert f'  {name}' in text


def test_the_report_is_opened(tmp_path, monkeypatch, capsys) -> None:
  opened: list[str] = []
  monkeypatch.setattr(webbrowser, 'open', opened.append)
  (tmp_path / 'config.json').touch()
  assert 'no report' in _mistake(capsys, 'open', str(tmp_path))
  (tmp_path / 'report.html').touch()
  assert _main('open', str(tmp_path)) == 0
  assert opened == [(tmp_path / 'report.html').as_uri()]


def test_weights_are_found_and_not_fetched(
  tmp_path, monkeypatch, capsys
) -> None:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path))
  assert _main('weights') == 0  # Whatever is here.
  lines = capsys.readouterr().out.splitlines()
  assert 'add --download to fetch https://' in lines[0]
  assert _main('weights', 'efficientnet_lite0') == 0
  assert '.pth (lukemelas)' in capsys.readouterr().out
  assert _main('weights', 'resnet18') == 2
  assert 'add --download' in capsys.readouterr().out
  assert 'no network' in _mistake(capsys, 'weights', 'resnet')


def test_a_configuration_to_start_from(tmp_path, capsys) -> None:
  path = tmp_path / 'mine.py'
  assert _main('init', str(path.with_suffix(''))) == 0
  assert f'heterojax run {path}' in capsys.readouterr().out
  text = path.read_text()
  assert max(map(len, text.splitlines())) <= 80 + len(str(path))
  # Every field is there, and may be set as it stands.
  names = re.findall(r'^  (?:# )?config\.([\w.]+) = ', text, re.M)
  assert sorted(names) == sorted(FIELDS)
  scope: dict = {}
  exec(re.sub('# config', 'config', text), scope)  # pylint: disable=exec-used
  config = scope['get_config']().to_dict()
  assert checks.from_dict(config).backbone.name == 'efficientnet_b0'
  assert 'exists already' in _mistake(capsys, 'init', str(path))


@pytest.mark.parametrize(
  'name',
  [
    r'a\Users',
    'a"""',
    "a'''",
    'a"""; raise ValueError #',
    'a\nb',
    '\x1b[2J\udc80',
  ],
)
def test_a_configuration_of_any_name(
  tmp_path, monkeypatch, capsys, name: str
) -> None:
  monkeypatch.chdir(tmp_path)
  assert _main('init', name) == 0
  assert capsys.readouterr().out.rstrip('\n').isprintable()
  text = pathlib.Path(f'{name}.py').read_text('utf-8')
  said = ast.get_docstring(ast.parse(text)).splitlines()[-1]
  if name.isprintable():
    assert said == f'heterojax run {shlex.quote(name + ".py")}'
  scope: dict = {}
  exec(text, scope)  # pylint: disable=exec-used
  assert scope['get_config']()


def _completed(*words: str) -> list[str]:
  """What bash makes of words, the last of which is to be completed."""
  script = completion.bash() + (
    'compopt() { :; }\n'  # It knows no other place than readline.
    f'COMP_WORDS=({" ".join(words)}); COMP_CWORD={len(words) - 1}\n'
    '_heterojax; echo ${COMPREPLY[@]}\n'
  )
  done = subprocess.run(
    ['bash', '-c', script], capture_output=True, text=True, check=True
  )
  return done.stdout.split()


def test_bash_completes_commands_and_fields() -> None:
  assert _completed('heterojax', 'ver') == ['verify']
  assert _completed('heterojax', 'fun') == ['fundus']
  assert _completed('heterojax', 'run', 'data.p') == ['data.positive=']
  assert _completed('heterojax', 'run', 'data.dir', '=', 'x') == []


@pytest.mark.parametrize('shell', completion.SHELLS)
def test_all_words_are_completed(shell: str, capsys) -> None:
  assert _main('completion', shell) == 0
  script = capsys.readouterr().out
  for name in (*commands.COMMANDS, *configurations.names(), *FIELDS):
    assert name in script


def test_the_screen_names_what_there_is() -> None:
  for name in configurations.names():
    assert name in texts.screen()
    assert configurations.about(name)


def test_no_entry_point_is_long() -> None:
  folder = pathlib.Path(launch.__file__).parent
  for path in folder.glob('*.py'):
    assert len(path.read_text().splitlines()) <= 95, path


def test_nothing_looks_for_cycles_at_the_end() -> None:
  code = (
    'import atexit, gc; from heterojax.launch import main\n'
    # What is registered first comes last.
    'atexit.register(lambda: print(gc.get_freeze_count()))\n'
    'main.main(["heterojax", "--config=nothing"])'
  )
  command = [sys.executable, '-c', code]
  done = subprocess.run(command, capture_output=True, text=True, check=True)
  assert int(done.stdout) > 1000
