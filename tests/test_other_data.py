"""The same flags name other data: results that are there stay."""

from collections.abc import Callable
import dataclasses
import pathlib

import given_study
import numpy as np
import pytest

from heterojax import backbones
from heterojax.launch import study
from heterojax.studies import stages
from heterojax.version import __version__


def _data(seed: int) -> tuple[np.ndarray, np.ndarray]:
  stream = np.random.default_rng(seed)
  y = np.arange(60) % 2
  return stream.normal(size=(60, 4)) + 2 * y[:, np.newaxis], y


def _files(folder: pathlib.Path) -> dict[str, bytes]:
  paths = (path for path in folder.rglob('*') if path.is_file())
  return {str(p): p.read_bytes() for p in paths if p.name != 'log.txt'}


def _kept(
  folder: pathlib.Path, again: Callable[[], int], capsys: pytest.CaptureFixture
) -> None:
  before = _files(folder / 'run')
  capsys.readouterr()
  assert again() == 4
  assert 'run holds the results of other data' in capsys.readouterr().err
  assert _files(folder / 'run') == before


def _toy(
  config: str, file: pathlib.Path, folder: pathlib.Path, *more: str
) -> int:
  words = ['study.py', config, f'--workdir={folder}']
  words += [f'--config.data.dir={file}', '--config.data.dataset=features']
  words += ['--config.backbone.name=given', '--config.backbone.weights=']
  words += ['--config.data.positive=yes', '--config.data.negative=no']
  return study.main([*words, *more])


def test_a_changed_feature_label_or_row(
  toy_config: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  x, y = _data(0)
  file = given_study.write(tmp_path, x, y)

  def start(*more: str) -> int:
    return _toy(toy_config, file, tmp_path / 'run', *more)

  assert start() == 0
  for row, change in (0, x[0] + 1), (59, x[59] * (1 + 1e-6)):
    changed = x.copy()
    changed[row] = change
    given_study.write(tmp_path, changed, y)
    _kept(tmp_path, start, capsys)
  given_study.write(tmp_path, x, y[[1, 0, *range(2, 60)]])
  _kept(tmp_path, start, capsys)
  given_study.write(tmp_path, x[:58], y[:58])
  _kept(tmp_path, start, capsys)
  # That allows another environment, and not other data.
  _kept(tmp_path, lambda: start('--allow_mismatch'), capsys)
  # Nor of another release, whose tables would be sealed as those of these.
  path = tmp_path / 'run/environment.json'
  known = path.read_text()
  path.write_text(known.replace(f'"{__version__}"', '"0.0.1"'))
  _kept(tmp_path, lambda: start('--allow_mismatch'), capsys)
  path.write_text(known)
  given_study.write(tmp_path, x, y)
  assert start() == 0


def test_another_folder_of_the_same_relative_name(
  toy_config: str,
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  for seed, name in enumerate('ab'):
    (tmp_path / name).mkdir()
    given_study.write(tmp_path / name, *_data(seed))

  def start(name: str) -> int:
    monkeypatch.chdir(tmp_path / name)
    file = pathlib.Path('features.npz')
    return _toy(toy_config, file, tmp_path / 'run')

  assert start('a') == 0
  _kept(tmp_path, lambda: start('b'), capsys)
  # Of the same content, as where a project was moved, it is the same run.
  given_study.write(tmp_path / 'b', *_data(0))
  assert start('b') == 0


@pytest.mark.medium
def test_other_weights_of_the_same_name(
  toy_config: str,
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  capsys: pytest.CaptureFixture,
) -> None:
  def start() -> int:
    words = ['study.py', toy_config, f'--workdir={tmp_path / "run"}']
    return study.main(words)

  def changed(*args: object, **options: object) -> backbones.Backbone:
    return dataclasses.replace(load(*args, **options), weights_sha256='other')

  assert start() == 0
  load = stages.load_backbone
  with monkeypatch.context() as patched:
    patched.setattr(stages, 'load_backbone', changed)
    _kept(tmp_path, start, capsys)
  assert start() == 0


def _more(file: pathlib.Path, **arrays: np.ndarray) -> None:
  with np.load(file) as stored:
    np.savez(file, **stored, **arrays)


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['a file of one fold', 'a second data set'])
def test_what_the_manifest_puts_together_or_lacks(
  kind: str, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
  files = []
  for seed in 0, 1:
    (tmp_path / f'fold_{seed}').mkdir()
    files.append(given_study.write(tmp_path / f'fold_{seed}', *_data(seed)))
  first, second = files
  flags = [f'--workdir={tmp_path / "run"}']
  if kind == 'a second data set':
    flags += [f'--config.data.external={second}']
  else:
    for fold, file in enumerate(files):
      split = np.where(np.arange(60) // 2 % 2 == fold, 'test', 'train')
      _more(file, split=split, id=np.arange(60))
    flags += [
      '--config.data.dir=',
      f'--config.data.files={tmp_path}/fold_*/*.npz',
    ]

  def start() -> int:
    return given_study.run(first, *flags)

  assert start() == 0
  before = second.read_bytes()
  with np.load(second) as stored:
    changed = dict(stored)
  changed['features'][7, 1] += 1
  np.savez(second, **changed)
  _kept(tmp_path, start, capsys)
  second.write_bytes(before)
  assert start() == 0
