"""Principal components of one part, and how many of them.

"The extracted image-based features were reduced from their original amount to
10 principal components using PCA" (Mendez 2019, section 3); or as many as
explain a share of the variance, or as the laboratory's later rule says.

Axes: N samples, Q components, P parts, R trainings.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax import cluster
from heterojax import rng
from heterojax.cluster.partitions import partitions
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.stats import heterogeneity
from heterojax.stats import metrics
from heterojax.studies import stages
from heterojax.studies.sample_size import scoring
from heterojax.studies.sample_size.records import ByComponents
from heterojax.studies.sample_size.top_models import Learned
from heterojax.studies.sample_size.top_models import Part
from heterojax.studies.settings import Settings

# What the laboratory's published CVs are of.
_LABORATORY = {
  'classification': 'accuracy',
  'regression': 'mean_absolute_error',
}


class Reduced(NamedTuple):
  """One part in principal components.

  Attributes:
    z: `[N, Q]` float32; columns beyond the rank of the training images are
      zero.
    n_components: Q.
    explained_variance: of the training images, by those.
    by_components: CV over the number of components; None if not asked for.
    solver: see `cluster.approximate`.
  """

  z: np.ndarray
  n_components: int
  explained_variance: float | None
  by_components: ByComponents | None
  solver: str | None


def key(
  settings: Settings, purpose: rng.Purpose, part: Part, *members: int
) -> jax.Array:
  return rng.key(settings.seed, purpose, part.n, part.fold, *members)


def reduce(settings: Settings, part: Part, learned: Learned) -> Reduced:
  """Principal components of the training images, as many as the rule says."""
  r, train = settings.reduction, part.samples.of('train')
  if r.method == 'none':
    x = learned.x[learned.row]
    return Reduced(x, x.shape[1], None, None, None)
  by_rule = r.rule == 'minimum_mode_cv'
  wanted = r.most_components if by_rule else r.n_components
  shape = len(train), learned.x.shape[1]
  wanted = stages.components(r, *shape, wanted)
  fitted = cluster.pca(learned.x, wanted, learned.row[train])
  z = np.asarray(cluster.coordinates(fitted, learned.x, learned.row))
  q, by_components = z.shape[1], None
  if by_rule:
    by_components = cv_by_components(settings, part, learned, z)
    # Where no CV can be estimated there is nothing to choose by.
    q = codec.known(by_components.chosen) or min(r.n_components, q)
  return Reduced(
    z[:, :q],
    q,
    fitted.explained(q),
    by_components,
    cluster.approximate(*shape),
  )


def cv_by_components(
  settings: Settings, part: Part, learned: Learned, z: np.ndarray
) -> ByComponents:
  """The CV in 1, 2, ... components, and the laboratory's choice among them.

  As the laboratory's later code: for a regression the CV is of the mean
  absolute errors, an empty test cluster counts as -1, and the number of
  components is the smallest with the most frequent CV. The CV with empty
  clusters left out stands beside it. All numbers of components are clustered at
  once, on copies whose other columns are zero.

  Args:
    settings: of the study.
    part: the samples.
    learned: their predictions.
    z: `[N, Q]`, all components.

  Returns:
    The curves and the choice.
  """
  samples, most = part.samples, z.shape[1]
  test = samples.of('test')
  keep = np.tri(most)
  keys = jnp.stack([
    key(settings, rng.Purpose.CLUSTERING, part, q)[None]
    for q in range(1, most + 1)
  ])
  fitted = partitions(
    np.float64(z) * keep[:, None],
    np.broadcast_to(samples.split == 'train', (most, len(z))),
    keys,
    stages.algorithm(settings),
  )
  task = settings.data.task
  metric = _LABORATORY[task]
  answers = scoring.answers(learned.predicted[test], part.samples.classes)
  terms = metrics.terms(metric, samples.y[test], answers)
  labels = np.asarray(fitted.labels)[:, 0, test]
  means, _ = heterogeneity.cluster_means(
    terms.values, labels, settings.cluster.k
  )
  of_clusters = terms.transform(means)
  honest = heterogeneity.coefficient_of_variation(of_clusters)
  minus_one = heterogeneity.coefficient_of_variation(
    of_clusters, empty='minus_one'
  )
  mode = heterogeneity.minimum_mode_cv(minus_one)
  why = 'the mean of the metric over clusters is not above 0'
  why_honest = heterogeneity.why_none(of_clusters[np.isnan(honest)])
  return ByComponents(
    n_components=tuple(range(1, most + 1)),
    metric=metric,
    cv=codec.estimates(honest.tolist(), why_honest),
    cv_minus_one=codec.estimates(minus_one.tolist(), why),
    mode=codec.estimate(mode.cv, why),
    frequency=mode.frequency,
    chosen=mode.n_components or Missing(why),
  )
