"""Cataract against normal on ODIR-5K, as in Wang 2023.

python -m launch.study --config=configs/fundus.py:protocol=published \
    --config.data.dir=DIR --workdir=RUN

python -m launch.study --config=configs/fundus.py:study=sample_size \
    --config.data.dir=DIR --config.sizes=60,100,half,all --workdir=RUN

The paper: test accuracy 0.9712 on 208 images; 1,428 training images after
augmentation; retrained accuracies 0.50, 0.8173, 0.9375 and 0.9567.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol, feature, study=retraining|sample_size, tiny."""
  args = common.parse_arg(
    arg, protocol='clean', feature='', study='retraining', tiny=False
  )
  config = common.study(
    args['study'],
    args['protocol'],
    args['feature'] or 'avg',
    retraining={
      'backbone.feature': args['feature'] or 'flatten',
      # 414 training images of each class became 828 and 600.
      'augmentation.positive': 2.0,
      'augmentation.negative': 600 / 414,
    },
  )
  config.data.dataset = 'odir5k'
  config.data.positive = 'cataract'
  config.data.negative = 'normal fundus'
  config.data.balance = True
  if args['tiny']:
    common.make_tiny(config)
  return config
