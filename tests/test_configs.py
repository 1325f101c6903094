"""Configurations against the table of the design, typed by hand."""

import types

import pytest

from heterojax.configs import chest_xray
from heterojax.configs import demo
from heterojax.configs import features
from heterojax.configs import folder
from heterojax.configs import fundus
from heterojax.studies import settings as settings_lib

# Of both: 0.8 / 0.2, batch 8, k = 4 and 5 random runs per size; where the paper
# is silent, Keras' Adam, and early stopping on the accuracy.
_COMMON = {
    'study': 'retraining',
    'data.balance': True,
    'data.image_size': 224,
    'data.resize': 'keras',
    'split.test_share': 0.2,
    'split.folds': 0,
    'backbone.name': 'efficientnet_b0',
    'backbone.weights': 'imagenet',
    'backbone.train': 'frozen',
    'cluster.method': 'kmeans',
    'cluster.k': 4,
    'heads.batch_size': 8,
    'heads.learning_rate': 0.001,
    'heads.l2': 0.0,
    'heads.monitor': 'val_accuracy',
    'heads.random_runs': 5,
    'heads.random_vary': 'both',
}
_OWN = {
    fundus: {
        'data.dataset': 'odir5k',
        'data.positive': 'cataract',
        'data.negative': 'normal fundus',
        'heads.epochs': 10,
        'heads.patience': 3,
        'reduction.method': 'pca',
        'reduction.rule': 'fixed',
        'reduction.fit': 'train',
        'reduction.n_components': 200,
        'reduction.rejected': 0,
        'augmentation.positive': 2.0,
        'augmentation.negative': 1.4492753623188406,  # 600 / 414
    },
    chest_xray: {
        'data.dataset': 'nih_cxr',
        'data.positive': 'Cardiomegaly',
        'data.negative': 'No Finding',
        'heads.epochs': 30,
        'heads.patience': 10,
        'reduction.method': 'none',
        'reduction.rejected': 57,
        'augmentation.positive': 2.0,
        'augmentation.negative': 2.0,
    },
}
_ALL = (chest_xray, demo, features, folder, fundus)


@pytest.mark.parametrize('protocol', ['published', 'clean'])
@pytest.mark.parametrize('feature', ['flatten', 'avg'])
@pytest.mark.parametrize('module', _OWN)
def test_the_papers_values(
    module: types.ModuleType, feature: str, protocol: str
) -> None:
  config = module.get_config(f'protocol={protocol},feature={feature}')
  found = config.to_dict()
  want = _COMMON | _OWN[module]
  want |= {'backbone.feature': feature, 'split.protocol': protocol}
  for path, value in want.items():
    section, _, field = path.partition('.')
    got = found[section][field] if field else found[section]
    assert got == value and type(got) is type(value), path


@pytest.mark.parametrize('module', _OWN)
def test_the_clean_protocol_and_the_whole_feature_map_are_the_default(
    module: types.ModuleType,
) -> None:
  default = module.get_config()
  assert default.split.protocol == 'clean'
  assert default.split.validation_share == 0.2
  assert default.backbone.feature == 'flatten'
  assert default == module.get_config('protocol=clean,feature=flatten')


@pytest.mark.parametrize('arg', ['', 'tiny', 'protocol=published'])
@pytest.mark.parametrize('module', _ALL)
def test_every_configuration_is_a_valid_study(
    module: types.ModuleType, arg: str
) -> None:
  config = module.get_config(arg)
  settings = settings_lib.from_dict(config.to_dict())
  assert settings.study == 'retraining'
  tiny = arg == 'tiny'
  assert (settings.data.image_size, settings.heads.epochs <= 3) == (
      (64, True) if tiny else (224, False)
  )


@pytest.mark.parametrize('module', _ALL)
def test_an_unknown_argument_is_named(module: types.ModuleType) -> None:
  with pytest.raises(ValueError, match="no argument 'protcol'"):
    module.get_config('protcol=clean')
