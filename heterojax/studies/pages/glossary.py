"""What the words of a report mean, in plain ones."""

from collections.abc import Sequence

from heterojax.report.blocks import Pairs
from heterojax.report.blocks import Section

_MEANINGS = {
  'accuracy': 'share of the {unit}s that are classified rightly',
  'AUC': (
    'area under the ROC curve: how often a {unit} of one class ranks above one'
    ' of the other; 0.5 is chance, 1 is perfect'
  ),
  'class mix': 'how many {unit}s of each class there are',
  'cluster': (
    '{unit}s that are alike to the network, or that share a value that you'
    ' named'
  ),
  'coefficient of variation (CV)': (
    'standard deviation over the mean: how much a metric differs over clusters'
  ),
  'centroid': 'the mean of a cluster, in the space that was clustered',
  'fold': 'one of several ways to part the data into training and test',
  'head': 'the small classifier on top of the features',
  'interval': (
    'what the number may be of all {unit}s like these: of 100 intervals that'
    ' are made in this way, 95 hold it'
  ),
  'Jaccard similarity': (
    'shared {unit}s over all {unit}s of two clusters: 1 where they are the same'
  ),
  'NRMSE': 'root mean squared error over the range of the targets',
  'p-value': (
    'how often chance alone gives a difference at least as large: small is'
    ' surprising'
  ),
  'random heads': (
    'heads of equally many {unit}s that were drawn at random: what a cluster’s'
    ' head is compared with'
  ),
  'sensitivity': (
    'share of the {unit}s of the first-named class that are found'
  ),
  'specificity': 'share of the {unit}s of the other class that are found',
  'world of one rule': (
    'the same {unit}s and clusters with labels drawn from one rule for all, to'
    ' see what chance gives'
  ),
}


def section(words: Sequence[str], unit: str) -> Section:
  """The glossary.

  Args:
    words: that it explains.
    unit: what one sample is called.
  """
  rows = [(word, _MEANINGS[word].format(unit=unit)) for word in words]
  return Section('Glossary', [Pairs(rows)], folded=True)
