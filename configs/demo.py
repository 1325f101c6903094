"""A made-up cohort with three planted sub-populations, or its control.

python -m launch.study --config=configs/demo.py --workdir=RUN
python -m launch.study --config=configs/demo.py:control --workdir=RUN

With k = 3 the clusters are the planted sub-populations (adjusted Rand index at
least 0.9); on the control, whose names are drawn at random, below 0.1.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, feature=flatten|avg, control, tiny."""
  args = common.parse_arg(
    arg, protocol='clean', feature='flatten', control=False, tiny=False
  )
  config = common.study('retraining', args['protocol'], args['feature'])
  config.data.dataset = 'demo_control' if args['control'] else 'demo'
  config.data.positive, config.data.negative = 'disease', 'normal'
  config.data.subpopulation = 'subpopulation'
  config.backbone.name = 'efficientnet_lite0'
  config.reduction.n_components = 50
  config.cluster.k = 3
  if args['tiny']:
    common.make_tiny(config)
  return config
