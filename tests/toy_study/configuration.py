"""The file that `--config` names, to run the toy study by the command."""

CONFIG = """
from heterojax.configs import common


def get_config():
  config = common.study('toy', 'clean', 'avg', toy={'data.dataset': 'demo'})
  config.data.negative = 'normal'
  common.make_tiny(config)
  return config
"""
