"""How a run was done: its parts in words, and the methods paragraph."""

from collections.abc import Iterator, Mapping
from typing import Any

from heterojax.cluster import distances
from heterojax.records import codec
from heterojax.report import formatting
from heterojax.studies import choosing
from heterojax.studies.pages import clusters as cluster_words
from heterojax.studies.pages import heads as head_words
from heterojax.studies.pages import network as network_words
from heterojax.studies.pages import questions
from heterojax.studies.pages import scores
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.retraining.pages import wording
from heterojax.studies.retraining.records import Results

CITATION = (
  'Wang Y. Assess whether the heterogeneity in the medical images affects the'
  ' clustering of image features extracted from CNN. Research Opportunity'
  ' Program STA299Y1, Department of Statistical Science, University of'
  ' Toronto, supervised by P. Tyrrell, 2023.'
)
BIBTEX = """@techreport{wang2023heterogeneity,
  author = {Wang, Yihan},
  title = {Assess whether the heterogeneity in the medical images affects the
           clustering of image features extracted from {CNN}},
  institution = {Department of Statistical Science, University of Toronto},
  type = {Research Opportunity Program STA299Y1, supervised by P. Tyrrell},
  year = {2023}
}"""


def protocol(results: Results, shared: Shared) -> str:
  """The split, in words."""
  named = ''
  if results.split.named:
    named = (
      f' Which {results.backbone.unit} is in which part is named by the data'
      ' set itself.'
    )
  if results.heads and results.dataset.n_validation:
    named += ' Its validation part is not used.'
  return _protocol(results, shared) + named


def _protocol(results: Results, shared: Shared) -> str:
  one = results.backbone.unit
  whole = 'patient' if shared.groups_known else one
  if folds := results.split.folds:
    text = (
      f'{folds} folds: every {one} is tested once, by heads that were trained'
      ' on the other folds. Scores are over all these out-of-fold'
      ' predictions; sizes, counts of training'
      f' {one}s and distances are means over the folds.'
    )
    if results.protocol == 'published':
      text = (
        f'Published protocol, but with {text} Every row is used, copies of'
        f' {one}s included.'
      )
      if results.heads:
        return f'{text} {head_words.NO_EARLY_STOPPING}'
      return (
        f'{text} There is no validation part, so that early'
        ' stopping looks at the fold that is tested [inferred].'
      )
    text = f'Clean protocol with {text} Every distinct {one} is used once'
    if results.heads:
      return (
        f'{text}, and no {whole} is in two parts.'
        f' {head_words.NO_EARLY_STOPPING}'
      )
    return (
      f'{text}, no {whole} is in two parts, and in each fold a validation part'
      f' of the training {one}s decides about early stopping for every head.'
    )
  if results.protocol == 'published':
    split = 'split at random, stratified by class'
    if results.split.named:
      split = 'used as they are'
    text = (
      f'Published protocol: rows of the table are {split}, whatever file or'
      ' patient they show.'
    )
    if results.heads:
      return f'{text} {head_words.NO_EARLY_STOPPING}'
    if results.dataset.n_validation:
      return text
    return (
      f'{text} There is no validation part, so that early stopping looks at'
      ' the test set [inferred].'
    )
  if results.heads:
    return (
      f'Clean protocol: every distinct {one} once, and no {whole} in two parts.'
      f' {head_words.NO_EARLY_STOPPING}'
    )
  return (
    f'Clean protocol: every distinct {one} once, no {whole} in two parts, and'
    f' a validation part of the training {one}s that decides about early'
    ' stopping for every head. The test set is looked at once, at the end.'
  )


def reduction(results: Results, config: Mapping[str, Any]) -> str:
  """What was clustered instead of the features, in words; '' if nothing."""
  r, one = results.reduction, results.backbone.unit
  q, explained = codec.known(r.n_components), codec.known(r.explained_variance)
  if q is None or explained is None:
    return ''
  rule = ''
  chosen = config.get('reduction', {})
  if chosen.get('rule') == 'variance':
    share = formatting.percent(chosen['variance'])
    rule = f', as many as explain {share} of it'
  components = wording.components(q, explained)
  text = f'{components}{rule}, fitted on the training {one}s'
  if r.solver:
    text += ' (an approximation, found in two reads of the features)'
  if r.fit == 'separate':
    text += f'; the test {one}s by themselves, a mistake made on purpose'
  return text


def paragraph(
  results: Results, shared: Shared, config: Mapping[str, Any]
) -> str:
  """The methods section, ready to paste.

  Args:
    results: of the study.
    shared: its leaks.
    config: the resolved configuration; {} if it is not known.

  Returns:
    One paragraph.
  """
  network, folds = results.backbone, results.split.folds
  one, task = network.unit, results.classes.task
  text = [
    'We assessed whether heterogeneity of the data set changes what a'
    ' convolutional network learns from it, following Wang (2023), with'
    f' heterojax {results.environment["heterojax"]} (seed {results.seed}). The'
    f' task was {scores.told_apart(results.classes)}: {_sizes(results)}.',
    _split(results, shared),
  ]
  represented = (
    f'each {one} was represented by {network_words.feature(network)}.'
  )
  if network.given:
    text.append(formatting.capital(represented))
  else:
    text.append(
      f'The network {network_words.title(network)} with'
      f' {network_words.weights(network)} was {network_words.frozen(network)};'
      f' {represented}'
    )
  if reduced := reduction(results, config):
    text.append(f'Features were reduced to {reduced}.')
  if groups := choosing.groups(results.cluster.method, results.cluster.names):
    text.append(
      f'The {one}s were not clustered; groups that are known took the place of'
      f' clusters. {groups}'
    )
  else:
    text += _clustered(results)
  text.append(
    f'A head of {scores.units(results.classes)} was trained on all training'
    f' {one}s, on each cluster{_seeds(results)}, and'
    f' {_random(results, config)}.'
  )
  if results.heads:
    text.append(head_words.sentence(results.heads, one))
  elif heads := config.get('heads'):
    text.append(
      f'Training used up to {formatting.counted(heads["epochs"], "epoch")} with'
      f' batches of {heads["batch_size"]}, Adam (learning rate'
      f' {heads["learning_rate"]:g}{head_words.kernel_penalty(heads["l2"])})'
      ' and early stopping on'
      f' {heads["monitor"].removeprefix("val_")} with a patience of'
      f' {heads["patience"]}.'
    )
  over = 'on the whole test set'
  if folds:
    over = f'over the out-of-fold predictions of all {one}s'
  patients = ''
  if shared.groups_known:
    patients = f', widened by how alike {one}s of one patient are'
  text.append(
    f'{formatting.capital(scores.names(task))} were computed'
    f' {over}{scores.threshold(results.classes)}, with 95% intervals'
    f' {scores.intervals_by(task)}{patients}. Between-cluster distances are'
    ' Euclidean distances of centroids, intra-cluster distances the mean'
    f' Euclidean distance of all pairs of training {one}s in a cluster.'
  )
  if second := codec.known(results.external):
    text.append(
      f'All heads were scored on {formatting.counted(second.n, one)} of a'
      f' second data set ({second.name}), too.'
    )
  margins = [c.intra_cluster_margin for c in results.clusters]
  if known := [margin for margin in margins if margin]:
    text.append(
      f'In a cluster of more than {distances.MOST_OF_ALL_PAIRS:,} it is that of'
      f' {distances.PAIRS:,} random pairs, which is within {max(known):.2g} of'
      ' that of all (95%).'
    )
  if folds:
    text.append('Distances and cluster sizes are means over the folds.')
  text.append(questions.sentences(results.verdict, one, numbers=False))
  return ' '.join(filter(None, text))


def _clustered(results: Results) -> Iterator[str]:
  """How the samples were clustered, and how folds were matched."""
  one, folds = results.backbone.unit, results.split.folds
  yield (
    f'The training {one}s{" of each fold" if folds else ""} were grouped into'
    f' {results.cluster.k} clusters by'
    f' {cluster_words.algorithm(results.cluster)}{_starts(results)}, and every'
    f' other {one} went to {cluster_words.nearest(results.cluster)}.'
  )
  if folds:
    yield (
      'Clusters of different folds were matched one to one by the'
      f' {one}s that they share (Hungarian method).'
    )


def settings(
  results: Results, shared: Shared, config: Mapping[str, Any]
) -> list[tuple[str, str]]:
  """Name and text of each, for a table."""
  network = results.backbone
  split = f'{results.protocol} protocol: {_sizes(results)}.'
  rows = [('Split', f'{split} {_split(results, shared)}')]
  if not network.given:
    how = f'{network_words.title(network)}, frozen, in {network.dtype}'
    rows.append(('Network', f'{how}; {network_words.weights(network)}'))
  rows.append(('Features', network_words.feature(network)))
  none = 'none: the features were clustered as they are'
  rows.append(('Reduction', reduction(results, config) or none))
  rows.append(('Clusters', _algorithm(results, config)))
  if results.heads:
    random = formatting.counted(results.random_runs, 'random run')
    random += ' per cluster and family'
    how = head_words.title(results.heads, network.unit)
    rows.append(('Heads', f'{how}; {random}'))
  elif heads := config.get('heads'):
    rows.append((
      'Heads',
      f'at most {formatting.counted(heads["epochs"], "epoch")}, patience'
      f' {heads["patience"]}, batches of {heads["batch_size"]}, learning'
      f' rate {heads["learning_rate"]:g}'
      f'{head_words.kernel_penalty(heads["l2"])};'
      f' {formatting.counted(heads["random_runs"], "random run")} per cluster'
      ' and family',
    ))
  rows.append(('Seed', str(results.seed)))
  return rows


def _algorithm(results: Results, config: Mapping[str, Any]) -> str:
  """The algorithm of the clusters and its settings; or the known groups."""
  if groups := choosing.groups(results.cluster.method, results.cluster.names):
    return groups
  algorithm = cluster_words.algorithm(results.cluster)
  text = f'{algorithm}, k = {results.cluster.k}{_starts(results)}'
  if chosen := config.get('cluster'):
    text += (
      f', at most {chosen["max_iter"]} iterations, tolerance {chosen["tol"]:g}'
    )
  text += f'; fitted on the training {results.backbone.unit}s'
  if results.copies:
    text += ' with their copies'
  return f'{text}{", in each fold" if results.split.folds else ""}'


def _seeds(results: Results) -> str:
  """How often each cluster's own head was trained; '' where once."""
  if (number := results.own_runs) < 2:
    return ''
  return f' ({number} times, from other initial weights)'


def _random(results: Results, config: Mapping[str, Any]) -> str:
  """What random heads were trained on, for a methods section."""
  one = results.backbone.unit
  rows = (
    f'{formatting.times(results.random_runs)} per cluster on equally many'
    f' training {one}s drawn at random without replacement'
  )
  fair = (
    'as many distinct originals as the cluster, of patients who contribute as'
    ' many each as those of the cluster (where patients are known), with any'
    ' class mix and with that of the cluster'
  )
  if not results.fair_sets:
    text = rows
  elif results.clusters[0].random_originals:
    text = f'{rows}, and as often on {fair}'
  else:
    text = (
      f'{formatting.times(results.random_runs)} per cluster on each of two'
      f' random sets: {fair}'
    )
  if config.get('heads', {}).get('random_vary') == 'initialisation':
    text += (
      '; the runs of a cluster shared their draw and differed in initial'
      f' weights and the order of {one}s'
    )
  return text


def _sizes(results: Results) -> str:
  """How many images there were of each kind, in words."""
  d, one = results.dataset, results.backbone.unit
  copies = ''
  if results.copies:
    number = formatting.number(d.n_train_augmented)
    copies = f' ({number} with augmented copies)'
  validation = formatting.number(d.n_validation) if d.n_validation else 'none'
  parts = (
    f'{formatting.number(d.n_train)} {one}s for training{copies},'
    f' {validation} for validation'
  )
  if folds := results.split.folds:
    return (
      f'{d.n_test:,} {one}s, each tested once in {folds} folds; on average'
      f' a fold had {parts}'
    )
  return f'{parts} and {d.n_test:,} for testing'


def _split(results: Results, shared: Shared) -> str:
  """What a reader of the paper must know about the test set."""
  one = results.backbone.unit
  if results.protocol == 'clean':
    units = f'patient and no {one}' if shared.groups_known else one
    text = f'No {units} was in two parts'
    if results.split.named:
      parts = 'folds were those' if results.split.folds else 'split was that'
      text = f'The {parts} of the data set; no {units} was in two parts'
    if not results.heads:
      text += ', and early stopping used the validation part'
    text += '.'
    if not shared.groups_known:
      text += ' Patients were not known, so that some may be in two parts.'
    return text
  together = sum(shared.counts('shared_group'))
  part = 'validation part' if results.dataset.n_validation else 'test set'
  text = 'Rows were split at random, stratified by class'
  if results.split.named:
    text = 'The split was that of the data set'
  if not results.heads:
    text += f', and early stopping used the {part}'
  if results.folds:
    text = 'Folds were stratified by class'
    if not together:  # They are of whole patients under both protocols.
      text = 'No known patient or group was in two folds'
    if results.split.named:
      text = 'The folds were those of the data set'
    if not results.heads:
      text += ', and early stopping used the fold that was tested'
  if together:
    text += (
      f'; {together:,} test {one}s are of a patient or group that was also in'
      ' training'
    )
  return f'{text}.'


def _starts(results: Results) -> str:
  number = results.cluster.n_init
  return f', the best of {number} starts' if number > 1 else ''
