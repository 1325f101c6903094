"""Fields are declared once, and all that shows or checks them agrees."""

import dataclasses

from absl import flags
import pytest

from heterojax import datasets
from heterojax import features
from heterojax.cli import reference
from heterojax.cli import words
from heterojax.configs import common
from heterojax.datasets import images
from heterojax.datasets import pixels
from heterojax.datasets import splits
from heterojax.errors import UserError
from heterojax.heads import ensemble
from heterojax.studies import checks
from heterojax.studies.checks import FIELDS
from heterojax.studies.settings import Settings


def test_the_reference_is_what_the_command_writes() -> None:
  assert reference.PATH.read_text(encoding='utf-8') == reference.text()


def test_every_field_has_a_sentence_and_a_sound_default() -> None:
  for field in FIELDS.values():
    assert field.meaning.endswith('.'), field.name
    assert isinstance(field.default, field.kind), field.name
    assert not field.choices or field.default in field.choices, field.name
    assert field.least is None or field.default >= field.least, field.name


@pytest.mark.parametrize(
  ('name', 'known'),
  [
    ('data.dataset', datasets.NAMES),
    ('data.range', pixels.RANGES),
    ('data.resize', images.RESIZES),
    ('split.protocol', splits.PROTOCOLS),
    ('backbone.feature', features.FEATURES),
    ('backbone.dtype', features.DTYPES),
    ('heads.monitor', ensemble.MONITORS),
  ],
)
def test_choices_are_those_of_the_library(name: str, known: tuple) -> None:
  assert set(FIELDS[name].choices) == set(known)


def test_a_configuration_has_the_fields_and_no_others() -> None:
  config = common.study('retraining', 'clean', 'avg').to_dict()
  assert config == dataclasses.asdict(Settings())
  assert checks.from_dict(config) == Settings()


def test_settings_alone_are_those_of_the_defaults() -> None:
  """Which is what a section without a word of the user is."""
  assert Settings().cluster.k == FIELDS['cluster.k'].default
  assert dataclasses.replace(Settings(), seed=3).heads == Settings().heads


def _canonical(*given: str, config: bool = True, bare: str = '') -> list[str]:
  values = flags.FlagValues()
  flags.DEFINE_string('workdir', None, '', flag_values=values)
  flags.DEFINE_bool('debug', False, '', flag_values=values)
  return words.canonical(['x', *given], values, config=config, bare=bare)[1:]


@pytest.mark.parametrize(
  ('given', 'flags_'),
  [
    (['data.dir=A=B'], ['--config.data.dir=A=B']),
    (['--data.dir', 'A'], ['--config.data.dir=A']),
    (['--config.data.dir', 'A'], ['--config.data.dir=A']),
    (['-seed=3'], ['--config.seed=3']),
    (['--data.masks', '--nodebug'], ['--config.data.masks', '--nodebug']),
    (['--workdir', 'W', '--debug'], ['--workdir=W', '--debug']),
    (
      ['D*.csv', '--config=x.py'],
      ['--config=x.py', '--config.data.files=D*.csv'],
    ),
    (
      ['k=1', 'DATA', 'x.py:a=b'],
      ['--config=x.py:a=b', '--config.data.dir=DATA'],
    ),
  ],
)
def test_words_as_absl_takes_them(given, flags_, monkeypatch, tmp_path) -> None:
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'x.py').touch()
  (tmp_path / 'DATA').mkdir()
  (tmp_path / 'k=1').mkdir()  # A path, whatever is in its name.
  if 'k=1' in given:
    with pytest.raises(UserError, match='second value of --config.data.dir'):
      _canonical(*given)
    given = given[1:]
  assert _canonical(*given) == flags_


def test_words_of_an_entry_without_a_configuration() -> None:
  assert _canonical('a', 'b', config=False, bare='workdir') == ['--workdir=a,b']
  # A folder of runs is called as it is.
  names = ['a,b', '"c"', 'd\ne', 'f g']
  (flag,) = _canonical(*names, config=False, bare='workdirs')
  parsed = flags.ListParser().parse(flag.removeprefix('--workdirs='))
  assert parsed == names
  with pytest.raises(UserError, match="'a' is not a flag"):
    _canonical('a', config=False)
  with pytest.raises(UserError, match="'a' is not a flag"):
    _canonical('a', '--workdir=b', config=False, bare='workdir')
