"""`report.html` of a sample-size study, section by section."""

from collections.abc import Sequence

from markupsafe import Markup

from heterojax.cluster import distances as cluster_distances
from heterojax.records import codec
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Figure
from heterojax.report.blocks import Folded
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Page
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Text
from heterojax.studies import choosing
from heterojax.studies.pages import checklists
from heterojax.studies.pages import common
from heterojax.studies.pages import glossary
from heterojax.studies.pages import network
from heterojax.studies.pages import scores
from heterojax.studies.pages import verdict
from heterojax.studies.sample_size.pages import audits
from heterojax.studies.sample_size.pages import choice_tables
from heterojax.studies.sample_size.pages import clusters
from heterojax.studies.sample_size.pages import deviations
from heterojax.studies.sample_size.pages import distances
from heterojax.studies.sample_size.pages import methods
from heterojax.studies.sample_size.pages import relation
from heterojax.studies.sample_size.pages import tables
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.pages import wording
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.view import View
from heterojax.studies.settings import Settings


def page(
  results: Results, settings: Settings | None, view: View, manifest: common.Rows
) -> Page:
  """The report.

  Args:
    results: of the study.
    settings: of the study; None where they are not known.
    view: of the audit.
    manifest: rows of `manifest.csv`; none without one.

  Returns:
    The page.
  """
  title = f'Heterogeneity of {results.dataset.name} over sample sizes'
  if results.classes.names:
    title += f': {scores.against(results.classes)}'
  sections = [
    _found(results, audits.warnings(results, view, manifest)),
    _sizes(results),
    _clusters(results),
    _cluster_sizes(results),
    _relation(results),
    _distances(results),
    _stability(results),
  ]
  if choice_tables.has_components(results):
    sections.append(_components(results))
  sections += [
    _validity(results),
    _data(results, view, manifest),
    common.how(
      methods.rows(results, settings),
      deviations.not_in_the_paper(results, settings),
      methods.paragraph(results, settings),
      methods.CITATION,
      methods.BIBTEX,
    ),
    common.limits(results.unit, _limits(results), peeks=results.peeks),
    common.environment(results.environment, results.timings),
  ]
  sections = verdict.first(
    results.verdict, results.unit, sections, numbers=not results.classes.names
  )
  return Page(
    title,
    f'Does a CNN do equally well on all kinds of {results.unit}s, and does that'
    ' change as the data set grows?',
    _facts(results),
    [
      *sections,
      glossary.section(_words(results), results.unit),
      checklists.section(sections),
    ],
  )


def _words(results: Results) -> list[str]:
  """What the glossary explains."""
  metric = 'accuracy' if results.metric == 'accuracy' else 'NRMSE'
  others = ['centroid', 'cluster', 'coefficient of variation (CV)', 'fold']
  return [metric, *others, 'Jaccard similarity', 'p-value']


def _facts(results: Results) -> list[tuple[str, Text]]:
  sizes = [formatting.number(size.n) for size in results.by_size]
  folds = methods.folds(results)
  backbone = results.backbone
  trained = 'trained' if methods.trained(results) else 'frozen'
  return [
    (f'{results.unit}s', formatting.number(results.dataset.n)),
    ('size' if len(sizes) == 1 else 'sizes', ' · '.join(sizes)),
    ('folds', str(folds) if folds > 1 else 'one split'),
    (
      'clusters',
      f'{results.cluster.k}, {choosing.METHODS[results.cluster.method]}',
    ),
    ('features', f'given, {backbone.dim:,} numbers')
    if backbone.given
    else ('network', f'{network.title(backbone)}, {trained}'),
    ('metric', values.metric(results)),
    ('protocol', results.protocol),
  ]


def _found(results: Results, warnings: list[Block]) -> Section:
  unit = results.unit
  meaning = Markup(
    'The <i>coefficient of variation</i> (CV) is the standard deviation of the'
    ' {} over clusters of similar {}s, divided by its mean: 0% if the model'
    ' does equally well on all of them.'
  ).format(values.metric(results), unit)
  if results.metric != 'accuracy':
    meaning += (
      ' NRMSE is the root mean squared error over the range of the targets of'
      f' the test {unit}s: 1 − NRMSE is 1 where every prediction is right.'
    )
  sentences = [*wording.findings(results), *results.findings]
  blocks: list[Block] = [
    Paragraph(meaning, 'quiet'),
    Items(sentences, 'findings'),
  ]
  if beside := wording.one_rule_band(results):
    blocks.append(Paragraph(beside))
  if small := wording.small_tests(results):
    warning = Markup('<strong>{}</strong> {}').format(*small)
    blocks.append(Paragraph(warning, 'warning'))
  return Section('What was found', [*blocks, *warnings])


def _sizes(results: Results) -> Section:
  unit = results.unit
  alike = f'{unit}s of a class' if results.within_classes else f'{unit}s'
  orders = (
    '“CV, mean of folds”: the CV of each training of the clustering in each'
    ' fold, averaged. “CV of mean metrics”: first the metric of each cluster is'
    ' averaged over trainings and folds, then one CV is taken; chance cancels'
    ' in part, so it is usually smaller, and the band is not for it. The paper'
    ' does not say which it used.'
  )
  if codec.known(results.published):
    orders += ' It prints its CVs in a figure only.'
  return Section(
    'Figure 4. Heterogeneity over sample sizes',
    [
      Figure(
        'figure4_cv',
        'The CV at each sample size with its band of chance; the numbers are in'
        ' the table below.',
        'Blue: the CV, mean of the folds. Shaded: the CVs that 95% of runs'
        f' would have if {alike} (those of a named patient together) were'
        ' exchanged over the clusters at random, so that no cluster is harder'
        ' than another. Squares: the CV corrected for that, as the root of a'
        ' mean over folds of squares, which may exceed the mean of the folds'
        ' where these differ. The zones are the paper’s names for a CV.'
        f' Test {unit}s: of a fold; of a cluster:'
        ' smallest and largest.',
      ),
      tables.figure4_cv(results),
      Paragraph(orders, 'quiet'),
    ],
    asked=checklists.SAMPLE_SIZE,
  )


def _clusters(results: Results) -> Section:
  unit, baseline = results.unit, values.BASELINES[results.metric]
  blocks: list[Block] = [
    Figure(
      'figure2_metric_per_cluster',
      f'The metric of each cluster and of all test {unit}s at each sample size;'
      ' the numbers are in the table below.',
      'Means over folds and trainings of the clustering. The thick line: all'
      f' test {unit}s. Dashed: {baseline}. Every size and fold has clusters of'
      ' its own, numbered after those of the first with which they share most'
      f' {unit}s.',
    ),
    clusters.metric_per_cluster(results),
  ]
  if empty := wording.empty(results):
    blocks += [
      Heading(f'Clusters without test {unit}s'),
      Paragraph('They are left out of the CV of that training.'),
      Items(empty),
    ]
  blocks += [
    Folded('Every fold', [tables.folds(results), tables.scores(results)]),
  ]
  metric = values.metric(results)
  return Section(
    f'Figure 2. The {metric} of each cluster over sample sizes',
    blocks,
    asked=checklists.METRICS,
  )


def _cluster_sizes(results: Results) -> Section:
  unit = results.unit
  figure = Figure(
    'figure3_cluster_sizes',
    f'Share of the {unit}s that each cluster has at each sample size; the'
    ' numbers are in figure3_cluster_sizes.csv.',
    f'Share of all {unit}s of a fold, mean over trainings and folds. Dashed:'
    f' {results.cluster.k} equal clusters. The paper takes similar sizes for a'
    f' sign of a good clustering, few isolated {unit}s for a bad one.',
  )
  return Section('Figure 3. Cluster sizes', [figure])


def _relation(results: Results) -> Section:
  metric = values.metric(results)
  fit = results.cv_vs_metric.fit
  caption = 'One point is one size.'
  below: list[Block] = [
    Paragraph(f'A line and predictions are {values.why(fit)}.')
  ]
  if codec.known(fit):
    caption += (
      ' Line: least squares. Shaded: where 95% of new sizes would lie if the'
      ' line were right and sizes independent; with so few points it may be'
      ' wider than the figure.'
    )
    below = [
      *relation.predictions(results),
      Paragraph(
        'An interval that leaves the range of the metric, or of a CV, says that'
        ' these points do not allow the prediction.',
        'quiet',
      ),
    ]
  # Else it is among what was found.
  known = codec.known(results.cv_vs_metric.pearson) is not None
  said = [] if known else [Paragraph(wording.correlation(results))]
  return Section(
    f'Figure 5. CV and {metric}',
    [
      *said,
      Figure(
        'figure5_cv_vs_metric',
        f'The metric of all test {results.unit}s over the CV, one point per'
        ' sample size.',
        caption,
      ),
      *below,
      Paragraph(
        f'A small CV and a high {metric} go together for reasons of arithmetic'
        ' as well: larger test sets lower the CV by themselves, and a metric'
        ' near its maximum leaves clusters little room to differ.',
        'note',
      ),
    ],
  )


def _distances(results: Results) -> Section:
  published = codec.known(results.published)
  text = Markup(
    'Euclidean distances in the space that was clustered, over training {}s;'
    ' means over trainings and folds. The unit is that of the features of this'
    ' network.'
  ).format(results.unit)
  if published:
    text += Markup(
      ' <b>The numbers of clusters are arbitrary</b>, here and in the paper:'
      ' cluster 0 here is not its cluster 0, and only ranges compare.'
    )
  blocks: list[Block] = [Paragraph(text)]
  for kind in distances.KINDS:
    blocks += [
      Paragraph(wording.ranges(results, kind)),
      distances.between(results, kind),
    ]
  if any(size.closest_points_asked for size in results.by_size):
    blocks.append(
      Paragraph(
        'In a size of more than'
        f' {cluster_distances.MOST_OF_ALL_PAIRS:,} training {results.unit}s the'
        f' closest others of {cluster_distances.ASKED:,} and some more were'
        ' looked for: the closest-point distances are upper limits there.'
      )
    )
  blocks.append(distances.within(results))
  if published:
    blocks.append(Items(published.notes, 'quiet'))
  return Section('Tables 1 and 2. Distances', blocks)


def _stability(results: Results) -> Section:
  blocks: list[Block] = [
    Paragraph(wording.stability(results)),
    choice_tables.jaccard(results),
  ]
  if (fuzzifiers := choice_tables.fuzzifiers(results)).rows:
    blocks += [
      Heading('Other fuzzifiers'),
      Paragraph(
        'The paper gives no fuzzifier. Near 1 fuzzy K-means is K-means; a large'
        ' one draws the centroids together.'
      ),
      fuzzifiers,
    ]
  return Section(
    'How stable the clusters are', blocks, asked=checklists.STABILITY
  )


def _components(results: Results) -> Section:
  what = ''
  if results.metric != 'accuracy':
    what = ', and the CV is of the mean absolute error'
  return Section(
    'The number of components',
    [
      Paragraph(
        '“Minimum mode CV”: the CV is taken in 1, 2, 3, … components and'
        ' rounded to 4 decimals; the most frequent value is the mode, and the'
        ' smallest number of components that has it is chosen. A cluster'
        f' without test {results.unit}s counts as −1 here, as in the'
        f' laboratory’s later code{what}; with such clusters left out, the CV'
        ' can be another.'
      ),
      Figure(
        'cv_by_components',
        'The CV over the number of components, for each size and fold.',
      ),
      choice_tables.choice_of_components(results),
    ],
  )


def _validity(results: Results) -> Section:
  validity, n = results.validity, formatting.number(results.validity.n)
  return Section(
    'Which algorithm, how many clusters',
    [
      Paragraph(
        'How compact and how well apart clusters are, for three algorithms and'
        f' 2 to {max(row.k for row in validity.rows)} clusters, on the'
        f' {n} training {results.unit}s of a fold of the largest size. The'
        ' indices often disagree, and none of them knows what is wanted of the'
        ' clusters.'
      ),
      *_sampled(results),
      Items(validity.reading),
      Figure(
        'validity',
        'Inertia, silhouette, Calinski-Harabasz and Davies-Bouldin index over'
        ' the number of clusters.',
      ),
      choice_tables.validity(results),
    ],
  )


def _sampled(results: Results) -> list[Paragraph]:
  """What silhouettes of many images are."""
  margins = [row.silhouette_margin for row in results.validity.rows]
  known = [margin for margin in margins if margin]
  if not known:
    return []
  return [
    Paragraph(
      f'The silhouettes are means over {cluster_distances.ASKED:,} random'
      f' {results.unit}s, within {max(known):.2g} of those of all (95%).'
    )
  ]


def _data(results: Results, view: View, manifest: common.Rows) -> Section:
  text = f'{formatting.capital(methods.data(results))}.'
  if results.split.named:
    text += (
      f' Which {results.unit} is in which fold is named by the data set itself.'
    )
  audited = audits.blocks(results, view, manifest)
  size = Paragraph(
    f'Both audits are of the largest size, {values.of_size(results.largest.n)}.'
  )
  more = [
    *common.left_out(manifest, results.classes.names, results.unit),
    *audited,
    *([size] if audited and len(results.sizes) > 1 else []),
  ]
  return common.data(text, results.dataset.notes, [], more)


def _limits(results: Results) -> Sequence[Text]:
  unit = results.unit
  limits = [
    f'The band of chance takes test {unit}s for independent where their patient'
    ' or group is not named. If several are of one patient all the same, it is'
    ' too narrow.'
  ]
  if results.largest.band_unit == 'patient':
    limits.append(
      f'Where {unit}s of a patient are more alike in one cluster than in two,'
      ' which no exchange keeps, the band is approximate.'
    )
  mix, apart = 'range of targets', 'this report does not tell these apart'
  if results.classes.names:
    mix = 'mix of classes'
  if results.within_classes:
    apart = 'the CV does not tell these apart, its band allows for the last two'
    limits.append(
      'The band keeps the classes of every cluster. It does not tell one rule'
      f' from several: where one rule holds for all {unit}s, a cluster that is'
      ' nearer to the boundary between the classes is harder all the same, and'
      ' the CV may lie above the band.'
    )
  elif results.classes.names:
    limits.append(
      f'The band exchanges {unit}s of all classes. Where one class is harder'
      ' than another, clusters that hold different shares of it lie above the'
      ' band without being harder for any other reason.'
    )
  shared = [f'folds share training {unit}s'] * (methods.folds(results) > 1)
  shared += [f'sizes may share {unit}s'] * (len(results.sizes) > 1)
  if shared:
    text = formatting.capital(', and '.join(shared))
    limits.append(f'{text}: they are not independent repeats.')
  return [
    *limits,
    'A CV inside its band is not the absence of heterogeneity; it is what these'
    f' test {unit}s cannot tell from chance.',
    f'The CV sees differences of the {values.metric(results)} only. A cluster'
    f' may be hard because of its {unit}s, because of its {mix}, or because it'
    f' is small; {apart}.',
  ]
