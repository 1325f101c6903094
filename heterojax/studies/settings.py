"""The settings of a study: frozen, and free of the launch layer.

The one source of configurations (`configs/common.py`), flags, checks, help,
completion and docs/fields.md. It imports nothing that takes long, so that a
mistake is told at once.
"""

import csv
import dataclasses
from typing import TYPE_CHECKING, Literal

from heterojax.studies.fields import field

if TYPE_CHECKING:
  from heterojax.datasets.choices import Choices


@dataclasses.dataclass(frozen=True)
class Data:
  """What is studied."""

  dataset: Literal[
    'odir5k',
    'nih_cxr',
    'bone_age',
    'folder',
    'medmnist',
    'features',
    'demo',
    'demo_control',
    'demo_classes',
    'demo_five',
    'demo_five_control',
    'demo_hands',
  ] = field('folder', 'What reads the data; configurations set it.')
  dir: str = field(
    '',
    'Folder or file of the data, as the configuration says; also gs:// and'
    ' s3://.',
    path=True,
  )
  files: str = field(
    '',
    "Files of features, one per fold (and size), as 'DIR/*.csv'.",
    path=True,
  )
  external: str = field(
    '',
    'A second data set, as of another hospital, that all heads are scored on'
    ' (retraining only).',
    path=True,
  )
  images: str = field('', 'Where the images of a table lie.', path=True)
  masks: bool = field(False, 'Whether masks are images like any other.')
  group: str = field(
    '',
    'The patient: a regular expression that finds it in names of files or'
    r" folders, as '(\d+)_', or a column of the data.",
  )
  task: Literal['classification', 'regression'] = field(
    'classification', 'What is learned; a regression is sample_size only.'
  )
  columns: str = field(
    '',
    'Columns of a table by their meaning, as path:image_id,label:dx,group:pid'
    ' (and split, fold, id, prediction); label:A|B|C are columns of 0 and 1.',
  )
  features: str = field(
    '',
    'Columns of features by their beginnings or patterns, as original_*, joined'
    ' by commas; of an .npz file, its array.',
  )
  where: str = field('', 'Use only rows with column=value.')
  positive: str = field(
    '',
    "Label of the disease, or several as '2|3|4'; needed where names of two"
    ' labels do not tell.',
  )
  negative: str = field(
    '', 'Label of the other class; rest is all other labels.'
  )
  classes: str = field(
    '',
    'Of more than two classes: all, or their labels with commas between them,'
    " as a,b,'c|d'.",
  )
  ordered: bool = field(
    False, 'Whether the classes are grades, in the order that names them.'
  )
  balance: bool = field(
    False,
    'Draw as many negatives as there are positives; of more classes as many of'
    ' each.',
  )
  subpopulation: str = field(
    '', 'Column of the manifest to compare the clusters with.'
  )
  num_images: int = field(480, 'Images of a made-up cohort.', least=12)
  range: Literal['window', 'stored', 'image'] = field(
    'window',
    'What becomes 0 to 255: the window of a DICOM file, or else what the bits'
    ' can store; always that (stored); or what each image has (image).',
  )
  resize: Literal['keras', 'antialias', 'reduced'] = field(
    'keras',
    'How images are made smaller: keras does not antialias; reduced does, and'
    ' decodes large JPEG files at 1/2, 1/4 or 1/8 of their size first, which is'
    ' faster and hardly differs.',
  )
  image_size: int = field(224, 'Pixels of a side for the network.', least=32)
  max_bad_share: float = field(
    0.1, 'Share of the drawn rows that may be unusable.'
  )

  @property
  def choices(self) -> 'Choices':
    """What the readers of users' own data are told."""
    # It comes with all readers, which take long to import.
    # pylint: disable-next=import-outside-toplevel
    from heterojax.datasets.choices import Choices

    return Choices(self.columns, self.features, self.images, self.masks)

  @property
  def source(self) -> str:
    """Where the data are, in a word; a made-up set by its name."""
    return self.dir or self.files or self.dataset

  @property
  def named(self) -> tuple[str, ...]:
    """Labels that were named, of two that of the disease first."""
    if not self.classes:
      return self.positive, self.negative
    (names,) = csv.reader([self.classes], skipinitialspace=True)
    return tuple(name.strip() for name in names)


@dataclasses.dataclass(frozen=True)
class Split:
  """Training, validation and test."""

  protocol: Literal['clean', 'published'] = field(
    'clean',
    'clean: distinct images, no patient on both sides; published: rows, as in'
    ' the paper.',
  )
  named: bool = field(True, 'Use the splits or folds that the data name.')
  test_share: float = field(0.2, 'Share of the images that test.')
  validation_share: float = field(
    0.2,
    'Share of the training part by which heads stop early (clean only; logistic'
    ' heads have none).',
  )
  folds: int = field(
    0, 'Folds, in which every image is tested once, by patient; 0: one split.'
  )


@dataclasses.dataclass(frozen=True)
class Augmentation:
  """Training images after augmentation."""

  positive: float = field(
    1.0, 'Images of the positive class, per image before.', least=1
  )
  negative: float = field(
    1.0, 'Images of the negative class, per image before.', least=1
  )

  @property
  def factors(self) -> tuple[float, ...]:
    """Factor of each class, in their order."""
    return self.positive, self.negative


@dataclasses.dataclass(frozen=True)
class Backbone:
  """The network that gives features."""

  name: str = field(
    'efficientnet_b0',
    'efficientnet_b0, efficientnet_lite0, resnet18 or vgg16; onnx:FILE, an'
    ' exported network; given, where the data are features.',
  )
  source: str = field(
    'auto', 'Whose weights a file holds, where it does not tell.'
  )
  weights: str = field(
    'imagenet',
    'imagenet, or a file: Keras .h5, PyTorch .pth, .safetensors, TensorFlow.js'
    ' model.json or .tgz.',
    path=True,
  )
  feature: Literal['flatten', 'avg'] = field(
    'avg', 'The last feature map whole, or its mean over the image.'
  )
  normalisation: Literal['', 'imagenet', 'unit', 'symmetric', 'raw'] = field(
    '',
    'Pixels that an ONNX file takes: less the mean and by the deviation of'
    ' ImageNet, 0 to 1, -1 to 1, or 0 to 255.',
  )
  train: Literal['frozen', 'full'] = field(
    'frozen', 'full: trained for every fold and size (sample_size only).'
  )
  dtype: Literal['float32', 'bfloat16'] = field(
    'float32', "Numbers of a frozen network's arithmetic."
  )
  precision: Literal['highest', 'default'] = field(
    'highest',
    'Of the float32 products of a frozen network; default lets an accelerator'
    ' round their factors, which is faster, and changes nothing on CPU.',
  )


@dataclasses.dataclass(frozen=True)
class Features:
  """How features are computed."""

  batch_size: int = field(
    0,
    'Images per call of the network; 0: 32 on CPU, 256 per accelerator.',
    least=0,
  )
  workers: int = field(
    0, 'Threads that decode images; 0: one per core of this process.', least=0
  )


@dataclasses.dataclass(frozen=True)
class Reduction:
  """The components that clusters are found in."""

  method: Literal['pca', 'none'] = field(
    'pca', 'Principal components, or the features as they are.'
  )
  n_components: int = field(
    200, 'Components; all, where there are fewer.', least=1
  )
  rule: Literal['fixed', 'variance', 'minimum_mode_cv'] = field(
    'fixed',
    'n_components; or as many as explain a share of the variance; or the fewest'
    ' whose CV is the most frequent one (sample_size only).',
  )
  variance: float = field(0.7, 'The share that rule=variance explains.')
  most_components: int = field(
    70, 'Components that rule=minimum_mode_cv tries.', least=1
  )
  fit: Literal['train', 'separate'] = field(
    'train',
    'Rows that components are found in; separate shows what that mistake does.',
  )
  rejected: int = field(
    0, 'Components of a second clustering to show beside it.', least=0
  )


@dataclasses.dataclass(frozen=True)
class Cluster:
  """The clusters."""

  method: str = field(
    'kmeans',
    'K-means, fuzzy K-means, a Gaussian mixture; or known groups: column:NAME'
    ' of the data, whose numbers are cut into k bands, or ids:FILE.csv with the'
    ' columns id and cluster.',
    choices=('kmeans', 'fuzzy', 'gmm'),
    also=(r'(column|ids):.*\S.*', '; or column:NAME, or ids:FILE'),
  )
  min_size: int = field(
    10,
    'Images of a known group; smaller ones are put together.',
    least=1,
  )
  k: int = field(4, 'Number of clusters.', least=2)
  n_init: int = field(10, 'Starts, of which the best is kept.', least=1)
  max_iter: int = field(300, 'Iterations at most.', least=1)
  tol: float = field(
    1e-4,
    'When it has converged; of K-means, a share of the mean variance, as in'
    ' scikit-learn.',
    least=0,
  )
  fuzzifier: float = field(2.0, 'Fuzzifier of fuzzy K-means, above 1.')
  covariance: Literal['full', 'diag', 'spherical'] = field(
    'full', "Covariance of a mixture's components."
  )
  trainings: int = field(
    10, 'Clusterings per fold (sample_size only).', least=1
  )
  matching: Literal['members', 'members_and_metric'] = field(
    'members', 'By what clusters of several trainings are matched.'
  )


@dataclasses.dataclass(frozen=True)
class Heads:
  """The classifiers, or regressors, on the features."""

  kind: Literal['keras', 'logistic'] = field(
    'keras',
    'A sigmoid neuron (of more classes: softmax; of a regression: layers) that'
    ' stops early; or, of classes, a penalised logistic regression at its'
    ' optimum, which uses c alone of the fields from c to monitor.',
  )
  c: float = field(
    0.0,
    "Inverse of the penalty, as scikit-learn's C; 0: chosen by cross-validation"
    ' by patient, once per fold (and size).',
    least=0,
  )
  epochs: int = field(10, 'Epochs at most.', least=1)
  patience: int = field(3, 'Epochs without progress before it stops.', least=0)
  batch_size: int = field(8, 'Images of a training step.', least=1)
  learning_rate: float = field(1e-3, 'Learning rate of Adam.')
  l2: float = field(0.0, 'Factor of the squared kernel in the loss.', least=0)
  monitor: Literal['val_accuracy', 'val_loss'] = field(
    'val_accuracy', 'What early stopping looks at.'
  )
  widths: tuple[int, ...] = field(
    (256, 128, 64), 'Hidden layers of a regression.'
  )
  random_runs: int = field(
    5, 'Heads on random images per cluster and class mix.', least=1
  )
  random_vary: Literal['both', 'initialisation'] = field(
    'both', 'What differs between random heads: images and start, or the start.'
  )
  own_seeds: int = field(
    5, "Trainings of each cluster's own head; 1 where logistic.", least=1
  )


@dataclasses.dataclass(frozen=True)
class Verdict:
  """The tests of the answer."""

  worlds: int = field(
    199, 'Worlds with one rule for all; 0: the question is not asked.', least=0
  )
  partitions: int = field(
    199, 'Random partitions of the training images.', least=1
  )
  exchanges: int = field(9999, 'Exchanges of the test images.', least=1)
  seconds: int = field(
    3600,
    'Seconds at most, as planned by operations on two cores: there are fewer'
    ' worlds and partitions where they would take more; 0: no limit.',
    least=0,
  )


@dataclasses.dataclass(frozen=True)
class FineTuning:
  """Training of the network, where backbone.train is full."""

  epochs: int = field(20, 'Epochs at most.', least=1)
  patience: int = field(5, 'Epochs without progress before it stops.', least=0)
  batch_size: int = field(8, 'Images of a training step.', least=2)
  learning_rate: float = field(1e-4, 'Learning rate of AdamW.')
  weight_decay: float = field(1e-4, 'Weight decay of AdamW.', least=0)
  batch_norm: Literal['trained', 'folded'] = field(
    'trained', 'Trained, or folded into the convolutions, where it has to be.'
  )


@dataclasses.dataclass(frozen=True)
class Settings:
  """All of a study."""

  seed: int = field(
    0, 'Everything random follows from it; below 2^32.', least=0
  )
  study: str = field('retraining', 'retraining or sample_size.')
  sizes: str = field(
    '',
    "Sizes of the samples, as 60,100,half,all; '' stands for 100,300,half,all,"
    " or the files' own (sample_size only).",
  )
  nested: bool = field(
    True, 'Whether a size holds the smaller ones (sample_size only).'
  )
  published: Literal['', 'psp', 'bone_age'] = field(
    '', 'Published numbers to compare with (sample_size only).'
  )
  data: Data = dataclasses.field(default_factory=Data)
  split: Split = dataclasses.field(default_factory=Split)
  augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
  backbone: Backbone = dataclasses.field(default_factory=Backbone)
  features: Features = dataclasses.field(default_factory=Features)
  reduction: Reduction = dataclasses.field(default_factory=Reduction)
  cluster: Cluster = dataclasses.field(default_factory=Cluster)
  heads: Heads = dataclasses.field(default_factory=Heads)
  verdict: Verdict = dataclasses.field(default_factory=Verdict)
  fine_tuning: FineTuning = dataclasses.field(default_factory=FineTuning)

  @property
  def at_optimum(self) -> bool:
    """Whether heads are logistic regressions: of classes alone."""
    frozen = self.backbone.train == 'frozen'
    classes = self.data.task == 'classification'
    return self.heads.kind == 'logistic' and classes and frozen

  @property
  def task(self) -> str:
    """What heads learn, see `Metric.tasks`."""
    if self.data.task == 'regression' or len(self.data.named) == 2:
      return self.data.task
    return 'grading' if self.data.ordered else 'multiclass'

  @property
  def own_seeds(self) -> int:
    """How often a cluster's own head is trained: an optimum has no seed."""
    return 1 if self.at_optimum else self.heads.own_seeds
