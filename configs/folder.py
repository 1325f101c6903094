"""Your own images: a folder per class, or a CSV path,label[,group][,split].

python -m launch.study --config=configs/folder.py --config.data.dir=DIR \
    --workdir=RUN

Folders called train, val and test are the split. The patient may be named by
--config.data.group='(\\d+)_', a pattern of names. --config.data.images=FOLDER
says where the images of a table lie, and
--config.data.columns=path:image_id,label:dx,group:lesion_id what its columns
are.

Name the classes with --config.data.positive and --config.data.negative where
their names leave a doubt, or more than two with --config.data.classes=all (or
a,b,c). Heads are logistic regressions at
their optimum and need no validation part; --config.heads.kind=keras keeps one
and trains with early stopping.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol, feature, study=retraining|sample_size, tiny."""
  args = common.parse_arg(
    arg, protocol='clean', feature='avg', study='retraining', tiny=False
  )
  config = common.study(
    args['study'],
    args['protocol'],
    args['feature'],
    retraining={
      'reduction.n_components': 50,
      **common.LOGISTIC['retraining'],
    },
    sample_size=common.LOGISTIC['sample_size'],
  )
  # Its ImageNet weights come with the installation.
  config.backbone.name = 'efficientnet_lite0'
  if args['tiny']:
    common.make_tiny(config)
  return config
