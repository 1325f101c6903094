"""Keep or discard a PSP plate: the sample-size study of Mendez 2019.

python -m launch.study --config=configs/psp.py --config.data.dir=DIR \
    --config.data.positive=yes --config.data.negative=no --workdir=RUN

The paper: 100, 300, 1,464 and 2,928 images, ResNet18 trained for each, fuzzy
K-means with k = 4 in 10 components; correlation of accuracy and CV -0.9871. Its
images are not public; any folder of two classes will do.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, feature=flatten|avg, tiny."""
  args = common.parse_arg(arg, protocol='clean', feature='avg', tiny=False)
  config = common.study('sample_size', args['protocol'], args['feature'])
  config.published = 'psp'
  config.data.dataset = 'folder'
  config.backbone.name = 'resnet18'
  if args['tiny']:
    common.make_tiny(config)
  return config
