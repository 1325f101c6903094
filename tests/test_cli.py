"""What a user is shown of an error, whatever it quotes."""

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


@pytest.mark.parametrize('config', ['5', 'None', '{}', '[1]'])
def test_a_configuration_of_another_type(tmp_path, capsys, config: str) -> None:
  path = tmp_path / 'config.py'
  path.write_text(f'def get_config():\n  return {config}\n')
  words = ['study.py', f'--config={path}']

  def body(values: flags.FlagValues) -> int:
    raise AssertionError(values.config)

  assert cli.run((), body, words, about='') == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert line.startswith('heterojax: ')
