"""The two studies as scikit-learn estimators."""

# pyright: strict

from collections.abc import Generator
import contextlib
import logging
import os
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any, Self

from heterojax.api import inputs
from heterojax.api import messages
from heterojax.api import page
from heterojax.api import parameters
from heterojax.api import results
from heterojax.api.parameterized import Parameterized
from heterojax.api.results import Verdict
from heterojax.api.table import Table
from heterojax.compute import variables
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import interruption
from heterojax.run import links
from heterojax.run import logs
from heterojax.run import outputs
from heterojax.studies import checks

if TYPE_CHECKING:
  from heterojax.studies.retraining.records import Results as Retraining
  from heterojax.studies.sample_size.records import Results as SampleSize


class _Study(Parameterized):
  """A study; see `RetrainingStudy` and `SampleSizeStudy`."""

  _study: str
  verdict_: Verdict | None
  results_: Any
  clusters_: Table
  images_: Table
  workdir_: pathlib.Path

  def fit(
    self, X: Any, y: Any = None, *, groups: Any = None, metadata: Any = None
  ) -> Self:
    """Runs the study, or what an earlier run in its folder left to do.

    Args:
      X: features, `[N, D]` or a table of any library; images, `[N, H, W]` or
        `[N, H, W, 3]` of uint8 or a list of them; paths of images; or the path
        of a folder, a table or a file of features.
      y: `[N]` labels, or the name of their column in a table; None where X is
        a path, which names them.
      groups: `[N]` patients, kept on one side of each split; or their column.
      metadata: table of further columns, as scanner or age; split and fold, if
        there, are used.

    Returns:
      The study, with `verdict_`, `results_`, `clusters_`, `images_` and
      `workdir_`.

    Raises:
      HeterojaxError: whatever ends a run with a sentence.
    """
    with messages.of_arguments(), interruption.handled(), _told(self.verbose):
      given = inputs.of(X, y, groups, metadata)
      config = self._configuration(given)
      with self._folder() as folder:
        parameters.put(config, given.field, given.within(folder))
        settings = checks.from_dict(config)
        with inputs.kept(given, folder):
          checks.require_data(settings.data)
          variables.import_jax()
          # pylint: disable-next=import-outside-toplevel
          from heterojax.studies import running

          running.run(
            config,
            folder,
            download=self.download,
            allow_mismatch=self.allow_mismatch,
            command=f'{self!r}.fit(...)',
          )
      read(self, folder)
    return self

  def report(self, path: str | os.PathLike[str]) -> pathlib.Path:
    """Writes the report of a fitted study, one HTML file, and says where."""
    report = finished(self) / 'report.html'
    links.refuse_at(report)
    target = pathlib.Path(path).expanduser()
    atomic.write(target, report.read_bytes())
    return target

  def _configuration(self, given: inputs.Inputs) -> dict[str, Any]:
    """The configuration but for where the data are."""
    fields = {
      name: value
      for name, value in self.get_params(deep=False).items()
      if name in parameters.FIELD_OF
    }
    features = given.configuration == 'features'
    if features and self.backbone is not None:
      raise UserError(
        f'backbone is {self.backbone!r}, but X holds features already: leave'
        ' it out.'
      )
    config = parameters.configuration(self._study, given.configuration, fields)
    if given.columns:
      for name in ('data__columns', 'data__features', 'data__images'):
        if fields.get(name):
          raise UserError(
            f'{name} is for tables and files, but X, y, groups and metadata'
            ' say what each column is: leave it out.'
          )
      parameters.put(config, 'data.columns', given.columns)
    return config

  @contextlib.contextmanager
  def _folder(self) -> Generator[pathlib.Path, None, None]:
    """The run folder; a temporary one is taken away where nothing began."""
    if self.workdir is not None:
      yield outputs.local(os.fspath(self.workdir), 'workdir')
      return
    folder = pathlib.Path(tempfile.mkdtemp(prefix='heterojax-'))
    try:
      yield folder
    finally:
      with contextlib.suppress(OSError):  # A run is in it.
        folder.rmdir()

  def _html_repr(self) -> str:
    """What a notebook shows: parameters, or the answer of a fitted study."""
    if not hasattr(self, 'workdir_'):
      return str(super()._html_repr())
    return page.render(self._study, self.verdict_, self.workdir_)


class RetrainingStudy(_Study):
  """Do classifiers of one cluster do worse than those of random images?

  The study of Wang (2023); see `fit`, and docs/python.md.
  """

  _study = 'retraining'
  results_: 'Retraining'


class SampleSizeStudy(_Study):
  """How does accuracy differ between clusters as the data set grows?

  The study of Méndez, Calderón and Tyrrell (2019); see `fit`, and
  docs/python.md.
  """

  _study = 'sample_size'
  results_: 'SampleSize'


def read(study: '_Study', folder: pathlib.Path) -> None:
  """Sets the attributes of a study whose run has finished.

  Raises:
    UserError: if it has not.
  """
  # pylint: disable-next=import-outside-toplevel
  from heterojax.studies import reading

  study.results_ = reading.read(folder / 'results.json')
  study.verdict_ = results.verdict(study.results_)
  study.images_ = results.images(folder)
  study.clusters_ = results.clusters(study.results_, study.images_)
  study.workdir_ = folder


def finished(study: '_Study') -> pathlib.Path:
  """The folder of a fitted study.

  Raises:
    UserError: if it has not run.
  """
  if not hasattr(study, 'workdir_'):
    raise UserError('The study has not run: call fit, or heterojax.load.')
  return study.workdir_


@contextlib.contextmanager
def _told(verbose: bool) -> Generator[None, None, None]:
  """Warnings on standard error, and lines of progress where asked for.

  The log of the run has both.
  """
  log = logging.getLogger('heterojax')
  before = log.level, log.propagate
  handler = logging.StreamHandler()
  handler.setFormatter(logs.Lines('%(message)s'))
  handler.setLevel(logging.INFO if verbose else logging.WARNING)
  log.setLevel(logging.INFO)
  if not log.handlers:  # Else somebody says already where lines go.
    log.addHandler(handler)
    log.propagate = False  # absl and Orbax put other handlers at the root.
  try:
    yield
  finally:
    log.removeHandler(handler)
    log.level, log.propagate = before
