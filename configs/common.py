"""What configurations share: defaults of a study, arguments after the colon.

Every field with its default and meaning is in docs/fields.md.
"""

import dataclasses
from typing import Any

from ml_collections import config_dict

from heterojax.studies import registry
from heterojax.studies.settings import Settings


def parse_arg(arg: str | None, **defaults: str | bool) -> dict[str, str | bool]:
  """Reads `key=value,key` after the colon of `--config=NAME:...`.

  Args:
    arg: the text after the colon.
    **defaults: known keys; the type of the default is the type of the value.

  Returns:
    All keys; a bare key is true.

  Raises:
    ValueError: for an unknown key or a value of another type.
  """
  values = dict(defaults)
  for item in filter(None, (arg or '').split(',')):
    key, _, value = item.partition('=')
    if key not in defaults:
      raise ValueError(
        f'the config has no argument {key!r}: it takes'
        f' {", ".join(defaults) or "none"}'
      )
    if isinstance(defaults[key], bool):
      if value.lower() not in ('', 'true', 'false'):
        raise ValueError(f'the argument {key} is true or false, not {value!r}')
      values[key] = value.lower() != 'false'
    else:
      if not value:
        raise ValueError(f'the argument {key} needs a value: {key}=...')
      values[key] = value
  return values


def study(
  name: str, protocol: str, feature: str, **fields: dict[str, Any]
) -> config_dict.ConfigDict:
  """The defaults of a study.

  Args:
    name: of the study.
    protocol: of the split.
    feature: of the network.
    **fields: name of a study to those, as 'cluster.k', that a configuration
      has for it alone.

  Returns:
    The configuration.

  Raises:
    ValueError: if there is no such study.
  """
  if name not in registry.STUDIES:
    raise ValueError(
      f'the argument study is one of {", ".join(registry.STUDIES)}'
    )
  config = config_dict.ConfigDict(dataclasses.asdict(Settings()))
  config.update_from_flattened_dict({
    'study': name,
    'split.protocol': protocol,
    'backbone.feature': feature,
    **registry.defaults(name),
  })
  config.update_from_flattened_dict(fields.get(name, {}))
  return config


# Heads at their optimum. What `kind=keras` has instead trains to convergence;
# the sample-size study has its own.
LOGISTIC = {
  'retraining': {
    'heads.kind': 'logistic',
    'heads.epochs': 200,
    'heads.patience': 20,
    'heads.monitor': 'val_loss',
  },
  'sample_size': {'heads.kind': 'logistic'},
}


def make_tiny(config: config_dict.ConfigDict) -> None:
  """Small enough for a test: seconds, not minutes."""
  rejected = config.to_dict()['reduction']['rejected']
  config.update(
    sizes='40,all',
    data={'image_size': 64, 'num_images': 60},
    backbone={'name': 'efficientnet_lite0'},
    features={'batch_size': 8},
    reduction={'n_components': 10, 'rejected': min(rejected, 10)},
    cluster={'trainings': 3},
    heads={'epochs': 3, 'random_runs': 2, 'own_seeds': 2},
    verdict={'worlds': 19, 'partitions': 19, 'exchanges': 999},
  )
