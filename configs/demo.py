"""A made-up cohort with three planted sub-populations, or one without any.

python -m launch.study --config=configs/demo.py --workdir=RUN
python -m launch.study --config=configs/demo.py:control --workdir=RUN
python -m launch.study --config=configs/demo.py:classes --workdir=RUN
python -m launch.study --config=configs/demo.py:five --workdir=RUN
python -m launch.study --config=configs/demo.py:five,control --workdir=RUN

With k = 3 the clusters are the planted sub-populations (adjusted Rand index at
least 0.9); on the others, whose names are drawn at random, below 0.1. Those of
`classes` are the classes. The cohort `five` has five classes instead of two.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol, feature=flatten|avg, control, classes, five, tiny."""
  args = common.parse_arg(
    arg,
    protocol='clean',
    feature='flatten',
    control=False,
    classes=False,
    five=False,
    tiny=False,
  )
  if args['classes'] and (args['control'] or args['five']):
    raise ValueError('the argument classes is a cohort of its own')
  config = common.study('retraining', args['protocol'], args['feature'])
  chosen = [name for name in ('five', 'control', 'classes') if args[name]]
  config.data.dataset = '_'.join(['demo', *chosen])
  if args['five']:
    config.data.classes = 'all'
  else:
    config.data.positive, config.data.negative = 'disease', 'normal'
  config.data.subpopulation = 'subpopulation'
  config.backbone.name = 'efficientnet_lite0'
  config.reduction.n_components = 50
  config.cluster.k = 3
  if args['tiny']:
    common.make_tiny(config)
  return config
