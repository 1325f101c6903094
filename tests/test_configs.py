"""Configurations against the table of the design, typed by hand."""

import types

import pytest

from heterojax.configs import bone_age
from heterojax.configs import chest_xray
from heterojax.configs import demo
from heterojax.configs import features
from heterojax.configs import folder
from heterojax.configs import fundus
from heterojax.configs import psp
from heterojax.errors import UserError
from heterojax.studies import registry

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
  'backbone.dtype': 'float32',
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
# Mendez 2019, sections 2 and 3; where it is silent, the design's choice.
_SAMPLE_SIZE = {
  'study': 'sample_size',
  'split.folds': 4,
  'data.balance': False,
  'backbone.weights': 'imagenet',
  'backbone.train': 'frozen',
  'backbone.dtype': 'float32',
  'backbone.feature': 'avg',
  'reduction.method': 'pca',
  'reduction.rule': 'fixed',
  'reduction.n_components': 10,
  'cluster.method': 'fuzzy',
  'cluster.k': 4,
  'cluster.fuzzifier': 2.0,
  'cluster.trainings': 10,
  'augmentation.positive': 1.0,
  'augmentation.negative': 1.0,
}
_OF_MODEL = {
  psp: {
    'sizes': '',  # The default, with data.files the files' own.
    'published': 'psp',
    'data.task': 'classification',
    'backbone.name': 'resnet18',
  },
  bone_age: {
    'sizes': '300,700,2837,5674',
    'published': 'bone_age',
    'data.dataset': 'bone_age',
    'data.task': 'regression',
    'data.where': 'sex=female',
    'backbone.name': 'vgg16',
    'heads.widths': (256, 128, 64),
    'heads.monitor': 'val_loss',
  },
}
_STUDY = {
  **dict.fromkeys((chest_xray, demo, features, folder, fundus), 'retraining'),
  **dict.fromkeys((bone_age, psp), 'sample_size'),
}
_ALL = tuple(_STUDY)


def _field(config: dict, path: str) -> object:
  section, _, field = path.partition('.')
  return config[section][field] if field else config[section]


@pytest.mark.parametrize('module', _OF_MODEL)
def test_the_second_papers_values(module: types.ModuleType) -> None:
  found = module.get_config().to_dict()
  for path, value in (_SAMPLE_SIZE | _OF_MODEL[module]).items():
    got = _field(found, path)
    assert got == value and type(got) is type(value), path


@pytest.mark.parametrize('module', [features, folder, fundus])
def test_either_study_on_the_same_data(module: types.ModuleType) -> None:
  first = module.get_config('study=retraining').to_dict()
  second = module.get_config('study=sample_size').to_dict()
  assert module.get_config().to_dict() == first
  for name in ('dataset', 'positive', 'negative', 'balance', 'image_size'):
    assert first['data'][name] == second['data'][name]
  for path, value in _SAMPLE_SIZE.items():
    # What belongs to the data or the network stays that of the configuration.
    if not path.startswith(('data.', 'backbone.weights')):
      assert _field(second, path) == value, path
  registry.settings(second)
  with pytest.raises(ValueError, match='retraining, sample_size'):
    module.get_config('study=other')


def test_made_up_hands() -> None:
  settings = registry.settings(bone_age.get_config('demo').to_dict())
  assert settings.data.dataset == 'demo_hands'
  assert settings.data.task == 'regression'
  # The paper's numbers are not of made-up hands.
  assert settings.published == ''


@pytest.mark.parametrize(
  'arg, change, message',
  [
    ('study=retraining', {'data.task': 'regression'}, 'needs classes'),
    ('study=retraining', {'backbone.train': 'full'}, 'frozen'),
    (
      'study=retraining',
      {'reduction.rule': 'minimum_mode_cv'},
      'fixed or variance',
    ),
    ('study=sample_size', {'reduction.fit': 'separate'}, 'fit=train'),
    ('study=sample_size', {'augmentation.positive': 2.0}, 'at 1'),
    ('study=sample_size', {'reduction.rejected': 3}, 'at 0'),
    (
      'study=sample_size',
      {'reduction.method': 'none', 'reduction.rule': 'variance'},
      'method=pca',
    ),
    ('study=sample_size', {'cluster.fuzzifier': 1.0}, 'above 1'),
    ('study=sample_size', {'cluster.trainings': 0}, '1 or more'),
    ('study=sample_size', {'heads.widths': (8, 0)}, 'whole numbers'),
    (
      'study=sample_size',
      {'data.task': 'regression', 'heads.monitor': 'val_accuracy'},
      'val_loss',
    ),
    (
      'study=sample_size',
      {'data.task': 'regression', 'data.balance': True},
      'balance',
    ),
    (
      'study=sample_size,feature=flatten',
      {'backbone.train': 'full'},
      'feature=avg',
    ),
    (
      'study=sample_size',
      {'backbone.train': 'full', 'data.dataset': 'features'},
      'no network',
    ),
    (
      'study=sample_size',
      {'backbone.train': 'full', 'backbone.dtype': 'bfloat16'},
      'trained in float32',
    ),
    ('study=retraining', {'backbone.dtype': 'float16'}, 'bfloat16'),
    ('study=sample_size', {'fine_tuning.learning_rate': 0.0}, 'above 0'),
    ('study=sample_size', {'published': 'wang'}, 'psp'),
  ],
)
def test_what_cannot_be_is_said(arg: str, change: dict, message: str) -> None:
  config = folder.get_config(arg).to_dict()
  for path, value in change.items():
    section, _, field = path.partition('.')
    if field:
      config[section][field] = value
    else:
      config[section] = value
  with pytest.raises(UserError, match=message):
    registry.settings(config)


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
  settings = registry.settings(config.to_dict())
  assert settings.study == _STUDY[module]
  tiny = arg == 'tiny'
  assert (settings.data.image_size, settings.heads.epochs <= 3) == (
    (64, True) if tiny else (224, False)
  )


@pytest.mark.parametrize('module', _ALL)
def test_an_unknown_argument_is_named(module: types.ModuleType) -> None:
  with pytest.raises(ValueError, match="no argument 'protcol'"):
    module.get_config('protcol=clean')


@pytest.mark.parametrize(
  ('section', 'name', 'value', 'says'),
  [
    ('heads', 'epochs', '10', 'must be a whole number'),
    ('heads', 'epochs', True, 'must be a whole number'),
    ('heads', 'widths', 5, 'must be whole numbers'),
    ('split', 'test_share', None, 'must be a number'),
    ('data', 'balance', 1, 'must be True or False'),
    ('data', 'dir', 'a\0b', 'NUL'),
    ('data', 'x', 1, "unknown field 'data.x'"),
    ('data', 'dir', ..., "lacks the field 'data.dir'"),
  ],
)
def test_what_a_file_may_set_is_checked(section, name, value, says) -> None:
  config = folder.get_config().to_dict()
  config[section][name] = value
  if value is ...:
    del config[section][name]
  with pytest.raises(UserError, match=says):
    registry.settings(config)
  config[section] = value
  with pytest.raises(UserError, match='must be a section'):
    registry.settings(config)
