"""Studies in Python, as scikit-learn has its estimators.

Data in memory become the files that a reader reads, in the run folder; from
there on a study is what the command line makes of them, to the same bits.
"""

# pyright: strict

from heterojax.api.opening import compare
from heterojax.api.opening import load
from heterojax.api.results import Verdict
from heterojax.api.studies import RetrainingStudy
from heterojax.api.studies import SampleSizeStudy
from heterojax.api.table import Table

__all__ = (
  'RetrainingStudy',
  'SampleSizeStudy',
  'Table',
  'Verdict',
  'compare',
  'load',
)
