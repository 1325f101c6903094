"""Features that you have already, of any network: an .npz, CSV or Parquet file.

python -m launch.study --config=configs/features.py \
    --config.data.dir=FEATURES.csv --workdir=RUN

Columns: the features (named by numbers), label, and where known id, group,
split or fold, and prediction.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, study=retraining, tiny."""
  args = common.parse_arg(
      arg, protocol='clean', study='retraining', tiny=False
  )
  config = common.retraining(args['protocol'], 'avg')
  config.study = args['study']
  config.data.dataset = 'features'
  config.backbone.name = 'given'
  config.backbone.weights = ''
  config.reduction.n_components = 50
  if args['tiny']:
    common.make_tiny(config)
    config.backbone.name = 'given'
  return config
