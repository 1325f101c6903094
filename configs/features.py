"""Features that you have already, of any network: an .npz, CSV or Parquet file.

python -m launch.study --config=configs/features.py \
    --config.data.dir=FEATURES.csv --workdir=RUN
python -m launch.study --config=configs/features.py:study=sample_size \
    --config.data.files='FOLDER/*.csv' --workdir=RUN

Columns: the features (named by numbers, or all columns of numbers that mean
nothing else; --config.data.features='PREFIX*' says which), label, and where
known id, group, split or fold, and prediction; --config.data.columns=label:dx
names them. The second form reads one file per fold (and size), as where a
network was trained for each. Heads are as in `folder`.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, study=retraining|sample_size, tiny."""
  args = common.parse_arg(arg, protocol='clean', study='retraining', tiny=False)
  config = common.study(
    args['study'],
    args['protocol'],
    'avg',
    retraining={
      'reduction.n_components': 50,
      **common.LOGISTIC['retraining'],
    },
    sample_size=common.LOGISTIC['sample_size'],
  )
  config.data.dataset = 'features'
  config.backbone.name = 'given'
  config.backbone.weights = ''
  if args['tiny']:
    common.make_tiny(config)
    config.backbone.name = 'given'
  return config
