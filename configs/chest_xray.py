"""Cardiomegaly against no finding on NIH chest X-rays, as in Wang 2023.

python -m launch.study --config=configs/chest_xray.py:protocol=published \
    --config.data.dir=DIR --workdir=RUN

The paper: test accuracy 0.8246 on 57 images; 450 training images after
augmentation; retrained accuracies 0.7368, 0.8070, 0.7719 and 0.5614.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, feature=flatten|avg, tiny."""
  args = common.parse_arg(arg, protocol='clean', feature='flatten', tiny=False)
  config = common.study('retraining', args['protocol'], args['feature'])
  config.data.dataset = 'nih_cxr'
  config.data.positive = 'Cardiomegaly'
  config.data.negative = 'No Finding'
  config.data.balance = True
  # 112 and 113 training images became 224 and 226.
  config.augmentation.positive = 2.0
  config.augmentation.negative = 2.0
  config.reduction.method = 'none'
  config.reduction.rejected = 57
  config.heads.epochs = 30
  config.heads.patience = 10
  if args['tiny']:
    common.make_tiny(config)
  return config
