"""Fields whose default in this study is not that of `settings`."""

from typing import Any

DEFAULTS: dict[str, Any] = {
  'split.folds': 4,
  'reduction.n_components': 10,
  'cluster.method': 'fuzzy',
  'cluster.n_init': 1,  # One start per training; there are ten.
  'cluster.max_iter': 3000,  # Fuzzy K-means may creep.
  'heads.epochs': 100,
  'heads.patience': 10,
  'heads.monitor': 'val_loss',
}
