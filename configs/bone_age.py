"""Bone age of girls from hand radiographs: the regression of Mendez 2019.

python -m launch.study --config=configs/bone_age.py --config.data.dir=DIR \
    --workdir=RUN

DIR is the RSNA's bone-age data set. The paper: 300, 700, 2,837 and 5,674 images
of its 5,778 girls, VGG16 trained for each, a fully connected head of four
layers, fuzzy K-means with k = 4 in 10 components; correlation of 1 - NRMSE and
CV -0.9832. `:demo` draws made-up hands instead.
"""

from ml_collections import config_dict

from heterojax.configs import common


def get_config(arg: str | None = None) -> config_dict.ConfigDict:
  """Arguments: protocol=clean|published, feature=flatten|avg, demo, tiny."""
  args = common.parse_arg(
    arg, protocol='clean', feature='avg', demo=False, tiny=False
  )
  config = common.study('sample_size', args['protocol'], args['feature'])
  config.sizes = '300,700,2837,5674'
  config.data.task = 'regression'
  config.published = 'bone_age'
  config.data.dataset = 'bone_age'
  config.data.where = 'sex=female'
  config.backbone.name = 'vgg16'
  if args['demo']:
    config.sizes = '100,200,half,all'
    config.published = ''
    config.data.dataset = 'demo_hands'
    config.data.where = ''
    config.data.num_images = 800
    # Its ImageNet weights come with the installation.
    config.backbone.name = 'efficientnet_lite0'
  if args['tiny']:
    common.make_tiny(config)
  return config
