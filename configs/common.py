"""Every field with its default and unit, and the arguments after the colon."""

import os
from typing import Any

from ml_collections import config_dict

from heterojax.studies import registry


def parse_arg(arg: str | None, **defaults: str | bool) -> dict[str, str | bool]:
  """Reads `key=value,key` after the colon of `--config=NAME:...`.

  Args:
    arg: the text after the colon.
    **defaults: known keys; the type of the default is the type of the value.

  Returns:
    All keys; a bare key is true.

  Raises:
    ValueError: for an unknown key or a value of another type.
  """
  values = dict(defaults)
  for item in filter(None, (arg or '').split(',')):
    key, _, value = item.partition('=')
    if key not in defaults:
      raise ValueError(
        f'the config has no argument {key!r}: it takes'
        f' {", ".join(defaults) or "none"}'
      )
    if isinstance(defaults[key], bool):
      if value.lower() not in ('', 'true', 'false'):
        raise ValueError(f'the argument {key} is true or false, not {value!r}')
      values[key] = value.lower() != 'false'
    else:
      if not value:
        raise ValueError(f'the argument {key} needs a value: {key}=...')
      values[key] = value
  return values


def study(
  name: str, protocol: str, feature: str, **fields: dict[str, Any]
) -> config_dict.ConfigDict:
  """The defaults of a study.

  Args:
    name: of the study.
    protocol: of the split.
    feature: of the network.
    **fields: name of a study to those, as 'cluster.k', that a configuration
      has for it alone.

  Returns:
    The configuration.

  Raises:
    ValueError: if there is no such study.
  """
  if name not in registry.STUDIES:
    raise ValueError(
      f'the argument study is one of {", ".join(registry.STUDIES)}'
    )
  config = _every_field(name, protocol, feature)
  config.update_from_flattened_dict(registry.STUDIES[name].defaults)
  config.update_from_flattened_dict(fields.get(name, {}))
  return config


def _every_field(
  name: str, protocol: str, feature: str
) -> config_dict.ConfigDict:
  """The defaults of Keras and of this project."""
  create = config_dict.create
  return create(
    seed=0,
    study=name,
    # sample_size only: numbers, shares or words, or '', which stands for
    # 100,300,half,all; with data.files, the files' numbers of rows
    sizes='',
    nested=True,  # sample_size only: a size holds the smaller ones
    published='',  # sample_size only: psp or bone_age, to compare with
    data=create(
      dataset='folder',  # see heterojax/datasets/__init__.py
      dir='',  # folder or file; see the configuration of the data set
      files='',  # features only: a pattern, one file per fold (and size)
      # a second data set, as another hospital's, that all heads are scored on
      # (retraining only): read and selected as the first one
      external='',
      images='',  # folder only: where the images of a table lie
      masks=False,  # folder only: whether masks are images as well
      # a regular expression that finds the patient in names of files or of
      # their folders, as (\d+)_; or a column of the data set
      group='',
      task='classification',  # or regression (sample_size only)
      # of a table: path:COLUMN,label:COLUMN,group:COLUMN, and split, fold, id,
      # prediction; label:A|B|C are columns of 0 and 1; '' where names tell
      columns='',
      # of a file of features: all, or the beginnings of columns, or patterns
      # with * and ?, joined by commas; of an .npz file, the array
      features='',
      where='',  # use only rows with column=value
      positive='',  # label of the disease; '' where two labels tell
      negative='',  # label of the other class
      classes='',  # of three or more: all, or their labels as a,b,c
      ordered=False,  # whether these are grades, in their order
      balance=False,  # draw as many negatives as there are positives
      subpopulation='',  # manifest column to compare the clusters with
      num_images=480,  # of the made-up cohort
      # what becomes 0..255: the window of a DICOM file, or else what the bits
      # can store; stored: always that; image: the values that each image has
      range='window',
      resize='keras',  # keras (no antialias) or antialias
      image_size=224,  # pixels
      max_bad_share=0.1,  # of the drawn rows that may be unusable, 0..1
    ),
    split=create(
      protocol=protocol,  # clean or published
      named=True,  # use the splits or folds that the data name, if they do
      test_share=0.2,
      # of the training part; clean only, and where heads stop early: those of
      # the kind logistic do not, and all of it trains
      validation_share=0.2,
      folds=0,  # or 2 and more: every image is tested once, by group
    ),
    augmentation=create(  # training images after it, per image before
      positive=1.0,
      negative=1.0,
    ),
    backbone=create(
      name='efficientnet_b0',  # or efficientnet_lite0
      source='auto',  # whose weights; see heterojax.backbones.load
      weights='imagenet',  # or the path of a weight file
      feature=feature,  # flatten (62,720 numbers) or avg (1,280)
      train='frozen',  # or full: trained per fold and size (sample_size)
      dtype='float32',  # or bfloat16: of a frozen network's arithmetic
    ),
    features=create(
      batch_size=32,  # images per call of the network
      workers=min(os.cpu_count() or 1, 16),  # threads that decode
    ),
    reduction=create(
      method='pca',  # or none
      n_components=200,  # or all, where there are fewer
      rule='fixed',  # variance: as many as explain that share; or
      variance=0.7,  # minimum_mode_cv (sample_size only): the fewest of
      most_components=70,  # up to these whose CV is the most frequent one
      fit='train',  # or separate, to show what that mistake does
      rejected=0,  # components of a second clustering to show beside it
    ),
    cluster=create(
      # or fuzzy or gmm; or groups that are known: column:NAME of the data,
      # whose numbers are cut into k bands, or ids:FILE.csv with the columns id
      # and cluster
      method='kmeans',
      min_size=10,  # images of a known group; smaller ones are put together
      k=4,
      n_init=10,  # restarts
      max_iter=300,
      tol=1e-4,  # kmeans: of the mean variance, as in scikit-learn
      fuzzifier=2.0,  # of fuzzy
      covariance='full',  # of gmm; or diag or spherical
      trainings=10,  # sample_size only: of the clustering, per fold
      matching='members',  # of their clusters, or members_and_metric
    ),
    heads=create(
      # keras: a sigmoid neuron (of a regression: layers) that stops early; or
      # logistic: of two classes the optimum of a penalised logistic regression,
      # which uses c alone of the fields up to widths. A regression's heads and
      # those of trained networks (backbone.train=full) are layers all the same
      kind='keras',
      # inverse of the penalty, as scikit-learn's C; 0: chosen by
      # cross-validation of the head of all training images, by patient, once
      # per fold (and size), and used for every head of it
      c=0.0,
      epochs=10,
      patience=3,  # epochs
      batch_size=8,
      learning_rate=1e-3,
      l2=0.0,  # factor of the squared kernel in the loss
      monitor='val_accuracy',  # or val_loss
      widths=(256, 128, 64),  # hidden layers, of a regression
      random_runs=5,  # per cluster
      random_vary='both',  # subset and initialisation, or initialisation
      own_seeds=5,  # trainings of each cluster's own head; 1 where logistic
    ),
    verdict=create(  # draws of the answer's tests
      worlds=199,  # with one rule; 0: the questions are not asked
      partitions=199,  # random ones, of the training images
      exchanges=9999,  # of the test images
      # as planned by operations on two cores, so that p-values do not hang on
      # the machine: worlds and partitions are fewer where they would take more;
      # 0: no limit
      seconds=3600,
    ),
    fine_tuning=create(  # where backbone.train is full
      epochs=20,
      patience=5,  # epochs
      batch_size=8,
      learning_rate=1e-4,
      weight_decay=1e-4,
      batch_norm='trained',  # or folded into the convolutions, where it has to
    ),
  )


# Heads at their optimum. What `kind=keras` has instead trains to convergence;
# the sample-size study has its own.
LOGISTIC = {
  'retraining': {
    'heads.kind': 'logistic',
    'heads.epochs': 200,
    'heads.patience': 20,
    'heads.monitor': 'val_loss',
  },
  'sample_size': {'heads.kind': 'logistic'},
}


def make_tiny(config: config_dict.ConfigDict) -> None:
  """Small enough for a test: seconds, not minutes."""
  rejected = config.to_dict()['reduction']['rejected']
  config.update(
    sizes='40,all',
    data={'image_size': 64, 'num_images': 60},
    backbone={'name': 'efficientnet_lite0'},
    features={'batch_size': 8},
    reduction={'n_components': 10, 'rejected': min(rejected, 10)},
    cluster={'trainings': 3},
    heads={'epochs': 3, 'random_runs': 2, 'own_seeds': 2},
    verdict={'worlds': 19, 'partitions': 19, 'exchanges': 999},
  )
