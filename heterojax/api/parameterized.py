"""The constructor of the estimators, which stores parameters and no more."""

# pyright: strict

import inspect
import os
from typing import Any, Self

from sklearn.base import BaseEstimator  # pyright: ignore[reportMissingTypeStubs]

from heterojax.api import parameters
from heterojax.studies.settings import Cluster
from heterojax.studies.settings import Settings
from heterojax.studies.settings import Split

_Labels = str | int | list[Any] | tuple[Any, ...] | None


class Parameterized(BaseEstimator):  # type: ignore[misc]
  """What has the parameters of a study; `fit` checks them."""

  def __init__(
    self,
    *,
    k: int = Cluster.k,
    backbone: str | None = None,
    seed: int = Settings.seed,
    protocol: str = Split.protocol,
    folds: int | None = None,
    positive: _Labels = None,
    negative: _Labels = None,
    classes: _Labels = None,
    workdir: str | os.PathLike[str] | None = None,
    download: bool = False,
    allow_mismatch: bool = False,
    verbose: bool = False,
    **settings: Any,
  ):
    """Stores parameters; `fit` checks them.

    Args:
      k: clusters.
      backbone: network that gives features; None: the configuration's.
      seed: everything random follows from it.
      protocol: clean, or published as in the paper.
      folds: in which every image is tested once; 0: one split.
      positive: label of the disease; several make one class.
      negative: label of the other class; 'rest' is all other labels.
      classes: of more than two, 'all' or their labels.
      workdir: run folder; None: a temporary one.
      download: fetch weights that are missing.
      allow_mismatch: go on with a run of another environment.
      verbose: whether lines of progress are written to standard error.
      **settings: every other field of docs/fields.md, as `cluster__tol`.

    Raises:
      TypeError: for a parameter that there is not.
    """
    for name in settings:
      if name not in parameters.FIELD_OF:
        raise TypeError(parameters.unknown(name, _own()))
    self.k = k
    self.backbone = backbone
    self.seed = seed
    self.protocol = protocol
    self.folds = folds
    self.positive = positive
    self.negative = negative
    self.classes = classes
    self.workdir = workdir
    self.download = download
    self.allow_mismatch = allow_mismatch
    self.verbose = verbose
    self._settings = settings

  def get_params(self, deep: bool = True) -> dict[str, Any]:
    """All parameters; None of a field stands for the configuration's value."""
    del deep  # None is an estimator.
    own = {name: getattr(self, name) for name in (*parameters.SHORT, *_own())}
    return own | {name: self._settings.get(name) for name in parameters.LONG}

  def set_params(self, **params: Any) -> Self:
    """Sets parameters, also fields that were not set before.

    Raises:
      ValueError: for a parameter that there is not.
    """
    own = (*parameters.SHORT, *_own())
    for name in params:
      if name not in own and name not in parameters.FIELD_OF:
        raise ValueError(parameters.unknown(name, _own()))
    for name, value in params.items():
      if name in own:
        setattr(self, name, value)
      else:
        self._settings[name] = value
    return self


def _own() -> tuple[str, ...]:
  """Parameters that are no fields, as workdir."""
  known = inspect.signature(Parameterized).parameters
  return tuple(name for name in known if name not in parameters.FIELD_OF)


def _signature() -> inspect.Signature:
  """The constructor's, with all fields: for help, completion and checks."""
  written = inspect.signature(Parameterized.__init__)
  named = [
    p for p in written.parameters.values() if p.kind is not p.VAR_KEYWORD
  ]
  fields = [
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
    for name in parameters.LONG
  ]
  return written.replace(parameters=[*named, *fields])


# Where `inspect` looks for it.
setattr(Parameterized.__init__, '__signature__', _signature())  # noqa: B010
