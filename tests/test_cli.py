"""What a user is shown of an error, whatever it quotes."""

import errno
import pathlib

from absl import flags
import pytest

from heterojax import cli
from heterojax.errors import UserError


@pytest.mark.parametrize(
  ('said', 'shown'),
  [
    ('There is no x.', 'There is no x.'),
    ('a\nb\r\nc', 'a b c'),
    ('\x1b[31mred', '\\x1b[31mred'),
    ('a\0b', 'a\\x00b'),
    ('\u202eabc', '\\u202eabc'),
    ('\ud800é', '\\ud800é'),
  ],
)
def test_a_sentence_is_one_printable_line(said: str, shown: str) -> None:
  assert cli.sentence(UserError(said)) == shown


def test_a_long_sentence_keeps_both_ends() -> None:
  text = cli.sentence(UserError('begin' + 'x' * 10**6 + 'end'))
  assert text.startswith('begin') and text.endswith('end')
  assert len(text) < 2100


def test_a_folder_that_is_gone(tmp_path, monkeypatch, capsys) -> None:
  (tmp_path / 'gone').mkdir()
  monkeypatch.chdir(tmp_path / 'gone')
  (tmp_path / 'gone').rmdir()

  def body(values: flags.FlagValues) -> int:
    return len(pathlib.Path('run').absolute().parts)

  assert cli.run((), body, ['report.py'], about='', config=False) == 2
  said = 'heterojax: The folder that this command was given in is gone: '
  assert capsys.readouterr().err.startswith(said)


def test_of_a_copy_what_is_written_is_named(capsys) -> None:
  """Python names what is read first, as of a full disk."""

  def body(values: flags.FlagValues) -> int:
    raise OSError(errno.ENOSPC, 'No space left on device', 'from', None, 'to')

  assert cli.run((), body, ['report.py'], about='', config=False) == 2
  assert 'heterojax: to cannot be used (No space' in capsys.readouterr().err


def _never(values: flags.FlagValues) -> int:
  raise AssertionError(values.config)


@pytest.mark.parametrize('config', ['5', 'None', '{}', '[1]'])
def test_a_configuration_of_another_type(tmp_path, capsys, config: str) -> None:
  path = tmp_path / 'config.py'
  path.write_text(f'def get_config():\n  return {config}\n')
  words = ['study.py', f'--config={path}']
  assert cli.run((), _never, words, about='') == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('heterojax: ')


def _said(words: list[str], body, capsys) -> tuple[int, str]:
  """Exit code and the one line of a command on the demo configuration."""
  code = cli.run((), body, ['study.py', '--config=demo', *words], about='')
  (line,) = capsys.readouterr().err.splitlines()
  return code, line


def test_an_unknown_field_is_the_configurations(capsys) -> None:
  for field in ('nope', 'data.nope'):
    code, line = _said([f'--config.{field}=1'], _never, capsys)
    assert code == 2
    assert "the configuration has no field 'nope'" in line


def test_a_value_of_another_type_is_said_plainly(capsys) -> None:
  for word, plainly in (
    ('seed=x', 'it is no whole number'),
    ('data.max_bad_share=x', 'it is no number'),
  ):
    code, line = _said([f'--config.{word}'], _never, capsys)
    assert code == 2 and plainly in line


@pytest.mark.parametrize(
  'error',
  [
    KeyError('overall'),
    AttributeError('centers'),
    AttributeError("'Run' object has no attribute 'centers'"),
    ValueError("invalid literal for int() with base 10: 'a'"),
  ],
)
def test_a_mistake_of_the_program_is_not_the_configurations(
  error: Exception, capsys
) -> None:
  def body(values: flags.FlagValues) -> int:
    raise error

  code, line = _said([], body, capsys)
  assert code == 70
  assert 'configuration' not in line
  # Python's own words, which a report of the mistake needs.
  assert f'({type(error).__name__}: {error})' in line


def test_a_config_whose_own_code_misses_a_field(tmp_path, capsys) -> None:
  path = tmp_path / 'config.py'
  path.write_text(
    'from ml_collections import config_dict\n'
    'def get_config():\n'
    '  config = config_dict.create(a=1)\n'
    '  config.b\n'
    '  return config\n'
  )
  code = cli.run((), _never, ['study.py', f'--config={path}'], about='')
  (line,) = capsys.readouterr().err.splitlines()
  assert code == 2 and 'b' in line and 'should not' not in line


@pytest.mark.parametrize(
  'word, shown',
  [
    ('--config.data.dir=/home/ann/photos', '--config.data.dir=photos'),
    ('/home/ann/photos', 'photos'),
    ('/photos', 'photos'),
    ('~/photos', 'photos'),
    ('data.files=/a/x.csv,/b/y.csv', 'data.files=x.csv,y.csv'),
    ('backbone.name=onnx:/a/net.onnx', 'backbone.name=onnx:net.onnx'),
    ('data.dir=s3://bucket/photos', 'data.dir=s3://bucket/photos'),
    ('data.dir=photos/new', 'data.dir=photos/new'),
    ('cluster.method=column:scanner', 'cluster.method=column:scanner'),
    ('data.columns=path:a,label:b', 'data.columns=path:a,label:b'),
  ],
)
def test_a_command_for_others_names_no_folder_of_this_machine(
  word, shown
) -> None:
  assert cli.told(['/opt/bin/heterojax', word]) == f'heterojax {shown}'
