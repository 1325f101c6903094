"""A made-up cohort with three planted sub-populations, or one without any.

python -m launch.study --config=configs/demo.py --workdir=RUN
python -m launch.study --config=configs/demo.py:control --workdir=RUN
python -m launch.study --config=configs/demo.py:classes --workdir=RUN

With k = 3 the clusters are the planted sub-populations (adjusted Rand index at
least 0.9); on the others, whose names are drawn at random, below 0.1. Those of
`classes` are the classes.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol, feature=flatten|avg, control or classes, tiny."""
  args = common.parse_arg(
    arg,
    protocol='clean',
    feature='flatten',
    control=False,
    classes=False,
    tiny=False,
  )
  if args['control'] and args['classes']:
    raise ValueError('the arguments control and classes are two cohorts')
  config = common.study('retraining', args['protocol'], args['feature'])
  config.data.dataset = 'demo'
  for cohort in ('control', 'classes'):
    if args[cohort]:
      config.data.dataset = f'demo_{cohort}'
  config.data.positive, config.data.negative = 'disease', 'normal'
  config.data.subpopulation = 'subpopulation'
  config.backbone.name = 'efficientnet_lite0'
  config.reduction.n_components = 50
  config.cluster.k = 3
  if args['tiny']:
    common.make_tiny(config)
  return config
