"""What must hold of the settings of a sample-size study."""

from heterojax.studies import choosing
from heterojax.studies.settings import Settings
from heterojax.studies.study import Rules


def rules(settings: Settings) -> Rules:
  """Each rule, and what to say where it does not hold."""
  s = settings
  yield (
    s.reduction.fit == 'train',
    (
      'The sample-size study fits components on training images: leave'
      ' --config.reduction.fit=train.'
    ),
  )
  yield (
    s.reduction.method == 'pca' or s.reduction.rule == 'fixed',
    (
      f'--config.reduction.rule={s.reduction.rule} needs'
      ' --config.reduction.method=pca.'
    ),
  )
  yield (
    (s.augmentation.positive, s.augmentation.negative) == (1, 1),
    (
      'The sample-size study adds no augmented copies: leave'
      ' --config.augmentation.positive and negative at 1.'
    ),
  )
  yield (
    not s.data.external,
    ('--config.data.external belongs to the retraining study: leave it empty.'),
  )
  yield (
    s.reduction.rejected == 0,
    (
      '--config.reduction.rejected belongs to the retraining study: leave it'
      ' at 0.'
    ),
  )
  yield (
    choosing.clusters(s.cluster.method),
    (
      f'--config.cluster.method={s.cluster.method} belongs to the retraining'
      ' study: choose kmeans, fuzzy or gmm.'
    ),
  )
  spherical = (s.cluster.method, s.cluster.covariance) == ('gmm', 'spherical')
  yield (
    not spherical or s.reduction.rule != 'minimum_mode_cv',
    (
      '--config.reduction.rule=minimum_mode_cv clusters in all numbers of'
      ' components at once, which spherical mixtures cannot: use'
      ' --config.cluster.covariance=full or diag.'
    ),
  )
  if s.data.task == 'regression':
    yield (
      s.heads.monitor == 'val_loss',
      ('A regression has no accuracy: use --config.heads.monitor=val_loss.'),
    )
    yield (
      not s.data.balance,
      (
        'A regression has no classes to balance: leave'
        ' --config.data.balance=False.'
      ),
    )
  if s.backbone.train == 'full':
    yield (
      s.data.dataset != 'features',
      (
        'Given features have no network to train: leave'
        ' --config.backbone.train=frozen.'
      ),
    )
    yield (
      s.backbone.feature == 'avg',
      (
        'A network is trained on the mean of its last feature map: use'
        ' --config.backbone.feature=avg.'
      ),
    )
    yield (
      s.backbone.dtype == 'float32',
      (
        'A network is trained in float32: leave'
        ' --config.backbone.dtype=float32.'
      ),
    )
    yield (
      s.backbone.precision == 'highest',
      (
        'A network is trained with whole factors: leave'
        ' --config.backbone.precision=highest.'
      ),
    )
