"""Addresses are refused wherever a path is meant, before anything is done."""

import pathlib

import pytest

from heterojax import addresses
from heterojax.configs import folder
from heterojax.errors import UserError
from heterojax.launch import compare
from heterojax.launch import prepare
from heterojax.launch import report
from heterojax.launch import study
from heterojax.launch import verify
from heterojax.run import run_folder
from heterojax.studies import registry


@pytest.mark.parametrize(
  'text',
  [
    'gs://bucket/run',
    's3://bucket',
    'https://host/x.png',
    'hdfs://a/b',
    'file:///home/me',
    'gs:/bucket/run',  # What `pathlib` makes of it.
    ' GS://bucket',
  ],
)
def test_what_is_an_address(text: str) -> None:
  assert addresses.is_address(text)


@pytest.mark.parametrize(
  'text',
  ['', 'runs/1', '/gs/bucket', 'C:/Users/me', 'C:\\x', '~/a', './a:/b', 'a: b'],
)
def test_what_is_none(text: str) -> None:
  assert not addresses.is_address(text)


@pytest.mark.parametrize(
  ('text', 'path'),
  [
    ('file:///home/me/a%20b', '/home/me/a b'),
    ('FILE:/home/me', '/home/me'),
    ('file://server/share', ''),
    ('gs://bucket/a', ''),
    ('/home/me', ''),
  ],
)
def test_addresses_of_this_machine(text: str, path: str) -> None:
  assert addresses.local_path(text) == path
  if path:
    assert addresses.refusal('--a', text).endswith(f'give {path}.')


@pytest.mark.parametrize(
  ('text', 'found'),
  [
    ('gs://bucket/a/b', ('gs', 'bucket/a/b')),
    (' S3://bucket/', ('s3', 'bucket')),
    ('s3:/bucket/a', ('s3', 'bucket/a')),  # What `pathlib` makes of it.
    ('gs://', None),
    ('https://host/x', None),
    ('/gs/bucket', None),
    ('', None),
  ],
)
def test_what_is_read_from_a_store(text: str, found) -> None:
  assert addresses.stored(text) == found


@pytest.mark.parametrize(
  ('main', 'flag'),
  [
    (study.main, '--workdir'),
    (study.main, '--config.data.dir'),
    (study.main, '--config.data.images'),
    (study.main, '--config.backbone.weights'),
    (study.main, '--config.data.files'),
    (prepare.main, '--out'),
    (compare.main, '--workdirs'),
    (compare.main, '--out'),
    (report.main, '--workdir'),
    (verify.main, '--workdir'),
    (verify.main, '--against'),
  ],
)
def test_no_flag_takes_one(
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture[str],
  main,
  flag: str,
) -> None:
  monkeypatch.chdir(tmp_path)
  # What is read may lie in a store.
  address = ('gs', 'hdfs')['config' in flag] + '://bucket/run'
  words = [flag.lstrip('-'), f'{flag}={address}']
  if main in (study.main, prepare.main):
    words.insert(1, '--config=folder')
  assert main(words) == 2
  said = capsys.readouterr().err
  assert f'{flag} is {address}, an address, but must be a path' in said
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
  ('section', 'name'),
  [
    ('data', 'dir'),
    ('data', 'files'),
    ('data', 'images'),
    ('backbone', 'weights'),
  ],
)
def test_no_configuration_has_one(section: str, name: str) -> None:
  config = folder.get_config().to_dict()
  config[section][name] = 'ftp://bucket/x'
  with pytest.raises(UserError, match=f'--config.{section}.{name} is ftp://'):
    registry.settings(config)


def test_no_run_folder_is_one(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.chdir(tmp_path)
  with (
    pytest.raises(UserError, match='--workdir is gs:/bucket/run, an address'),
    run_folder.locked(pathlib.Path('gs://bucket/run'), 'run folder', 'workdir'),
  ):
    pass
  assert list(tmp_path.iterdir()) == []
