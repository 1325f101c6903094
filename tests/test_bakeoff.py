"""A study of several encoders by one command, and its ranking."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from heterojax.configs import features as features_config
from heterojax.configs import folder as folder_config
from heterojax.errors import UserError
from heterojax.launch import bakeoff
from heterojax.studies import encoders


def test_nothing_but_the_features_differs(tmp_path) -> None:
  for name in ('vit.npz', 'gap.csv'):
    (tmp_path / name).touch()
  config = folder_config.get_config(None).to_dict()
  config['data'] |= {'dir': 'photos', 'positive': 'ill', 'columns': 'path:p'}
  config['seed'] = 7
  files = [str(tmp_path / name) for name in ('vit.npz', 'gap.csv')]
  found = encoders.configurations(config, ['vgg16', 'resnet18'], files)
  assert [*found] == ['vgg16', 'resnet18', 'vit', 'gap']
  assert found['vgg16']['backbone'] == config['backbone'] | {'name': 'vgg16'}
  assert found['vgg16']['data'] == config['data']
  # What `--config=features` would say, but for what the user did.
  own = features_config.get_config(None).to_dict()
  own['data'] |= {'dir': files[0], 'positive': 'ill'}
  own['seed'] = 7
  assert found['vit'] == own
  assert config['backbone']['name'] == 'efficientnet_lite0'  # Untouched.


def test_features_alone_and_names_that_repeat(tmp_path) -> None:
  for name in ('a', 'b'):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'x.npz').touch()
  config = features_config.get_config(None).to_dict()
  config['data']['dir'] = str(tmp_path / 'a' / 'x.npz')
  found = encoders.configurations(config, [], [str(tmp_path / 'b' / 'x.npz')])
  assert [*found] == ['x', 'x_2']
  # The data may be named among them.
  every = [str(tmp_path / name / 'x.npz') for name in ('a', 'b')]
  assert encoders.configurations(config, [], every) == found


def test_each_run_has_a_folder_of_its_own(tmp_path) -> None:
  """Also of a file that is called as that of the comparison, or above it."""
  names = '...npz', '..npz', 'comparison.npz', 'x.npz'
  for name in names:
    (tmp_path / name).touch()
  config = features_config.get_config(None).to_dict()
  first, *others = (str(tmp_path / name) for name in names)
  config['data']['dir'] = first
  found = encoders.configurations(config, [], others)
  assert [*found] == ['.._2', '._2', 'comparison_2', 'x']


def test_what_is_no_bakeoff(tmp_path) -> None:
  images = folder_config.get_config(None).to_dict()
  ready = features_config.get_config(None).to_dict()
  for config, networks, files, says in (
    (images, ['vgg16'], [], 'One encoder alone has no rival'),
    (images, [], [str(tmp_path / 'none.npz')], 'There is no file'),
    (ready, ['vgg16'], [], 'has features already'),
  ):
    with pytest.raises(UserError, match=says):
      encoders.configurations(config, networks, files)


def test_mistakes_of_the_command(tmp_path, capfd) -> None:
  (tmp_path / 'photos').mkdir()
  assert bakeoff.main(['bakeoff', str(tmp_path / 'photos')]) == 2
  error = capfd.readouterr().err.splitlines()[-1]
  assert 'One encoder alone has no rival' in error
  assert [*tmp_path.iterdir()] == [tmp_path / 'photos']


def test_weights_are_looked_for_before_the_first_run(
  tmp_path, monkeypatch, capfd
) -> None:
  monkeypatch.setenv('HETEROJAX_CACHE', str(tmp_path / 'cache'))
  (tmp_path / 'photos').mkdir()
  words = [str(tmp_path / 'photos'), '--networks=efficientnet_lite0,resnet18']
  workdir = f'--workdir={tmp_path / "runs"}'
  assert bakeoff.main(['bakeoff', *words, workdir]) == 2
  error = capfd.readouterr().err.splitlines()[-1]
  assert 'The ImageNet weights of resnet18 are not on this machine' in error
  assert not (tmp_path / 'runs').exists()


@pytest.mark.slow
@pytest.mark.trains
def test_rotated_features_are_no_better_and_poor_ones_worse(tmp_path) -> None:
  """From data to a ranking; the same rule, seen from another side, is equal."""
  data = load_breast_cancer()
  x = (data.data - data.data.mean(0)) / data.data.std(0)
  rng = np.random.default_rng(0)
  rotation, _ = np.linalg.qr(rng.normal(size=(30, 30)))
  for name, of in (
    ('plain', x),
    ('rotated', x @ rotation),
    ('poor', x[:, :3] + rng.normal(size=(len(x), 3))),
  ):
    ids = np.array([f'i{i}' for i in range(len(x))])
    label = data.target.astype(str)
    path = tmp_path / f'{name}.npz'
    np.savez(path, features=of.astype(np.float32), label=label, id=ids)
  others = f'{tmp_path / "rotated.npz"},{tmp_path / "poor.npz"}'
  words = ['bakeoff', str(tmp_path / 'plain.npz'), f'--features={others}']
  words += ['data.positive=0', 'data.negative=1', 'cluster.k=2']
  words += ['verdict.worlds=0', 'heads.random_runs=2', 'heads.own_seeds=2']
  assert bakeoff.main([*words, f'--workdir={tmp_path / "bake"}']) == 0
  compared = tmp_path / 'bake' / 'comparison' / 'comparison.json'
  (group,) = json.loads(compared.read_text())['groups']
  pairs = {frozenset((p['better'], p['worse'])): p for p in group['pairs']}
  assert group['ranking'][-1] == 'poor'
  assert pairs[frozenset(('plain', 'rotated'))]['adjusted'] > 0.05
  for name in ('plain', 'rotated'):
    assert pairs[frozenset((name, 'poor'))]['better'] == name
    assert pairs[frozenset((name, 'poor'))]['adjusted'] <= 0.05
