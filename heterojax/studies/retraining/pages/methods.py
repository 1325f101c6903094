"""How a run was done: its parts in words, and the methods paragraph."""

from typing import Any

from heterojax import backbones
from heterojax.report import formatting
from heterojax.report.formatting import unit
from heterojax.studies import choosing
from heterojax.studies.retraining.pages import audits
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording

# Steinley (2004) on how well two groupings agree.
_AGREEMENT = (
  (0.9, 'excellent'),
  (0.8, 'good'),
  (0.65, 'moderate'),
  (-1, 'poor'),
)
_COVARIANCES = {
  'full': 'full covariances',
  'diag': 'diagonal covariances',
  'spherical': 'one variance per component',
}
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


def algorithm(results: dict[str, Any]) -> str:
  """The clustering with what it depends on, but for k."""
  c = results['cluster']
  text = choosing.METHODS[c['method']]
  if c['method'] == 'fuzzy':
    text += f' (fuzzifier {c["fuzzifier"]:g})'
  elif c['method'] == 'gmm':
    text += f' with {_COVARIANCES[c["covariance"]]}'
  return text


def nearest(results: dict[str, Any]) -> str:
  """Where what was not clustered itself went."""
  if results['cluster']['method'] == 'gmm':
    return 'the most probable component'
  return 'the nearest centroid'


def network(results: dict[str, Any]) -> str:
  return backbones.title(results['backbone']['name'])


def weights(results: dict[str, Any]) -> str:
  """Which weights, in words."""
  b = results['backbone']
  if formatting.given(results):
    return 'unknown weights'
  if b['weights_sha256'] is None:
    return 'random weights'
  return (
    f'weights {b["weights"]} (source {b["source"]}; SHA-256'
    f' {b["weights_sha256"]})'
  )


def frozen(results: dict[str, Any]) -> str:
  """What was done to a network that was not trained, in words."""
  dtype = results['backbone']['dtype']
  return 'frozen' if dtype == 'float32' else f'frozen and computed in {dtype}'


def feature(results: dict[str, Any]) -> str:
  """What stands for an image, in words."""
  dim = f'{results["backbone"]["dim"]:,} numbers'
  if formatting.given(results):
    return f'the features that were given ({dim})'
  if results['backbone']['feature'] == 'flatten':
    return f'the whole last feature map ({dim})'
  return f'the mean of the last feature map over the image ({dim})'


def protocol(results: dict[str, Any]) -> str:
  """The split, in words."""
  return ' '.join([_protocol(results), *_named(results)])


def _named(results: dict[str, Any]) -> list[str]:
  """Who made the split, where it was not this program."""
  if not results['split']['named']:
    return []
  return [
    f'Which {unit(results)} is in which part is named by the data set itself.'
  ]


def _protocol(results: dict[str, Any]) -> str:
  one = unit(results)
  whole = 'patient' if audits.patients_known(results) else one
  if folds := wording.folds(results):
    text = (
      f'{folds} folds: every {one} is tested once, by heads that were trained'
      ' on the other folds. Scores are over all these out-of-fold'
      ' predictions; sizes, counts of training'
      f' {one}s and distances are means over the folds.'
    )
    if results['protocol'] == 'published':
      return (
        f'Published protocol, but with {text} Every row is used, copies of'
        f' {one}s included. There is no validation part, so that early'
        ' stopping looks at the fold that is tested [inferred].'
      )
    return (
      f'Clean protocol with {text} Every distinct {one} is used once, no'
      f' {whole} is in two parts, and in each fold a validation part of the'
      f' training {one}s decides about early stopping for every head.'
    )
  if results['protocol'] == 'published':
    split = 'split at random, stratified by class'
    if results['split']['named']:
      split = 'used as they are'
    text = (
      f'Published protocol: rows of the table are {split}, whatever file or'
      ' patient they show.'
    )
    if results['dataset']['n_validation']:
      return text
    return (
      f'{text} There is no validation part, so that early stopping looks at'
      ' the test set [inferred].'
    )
  return (
    f'Clean protocol: every distinct {one} once, no {whole} in two parts, and'
    f' a validation part of the training {one}s that decides about early'
    ' stopping for every head. The test set is looked at once, at the end.'
  )


def reduction(results: dict[str, Any]) -> str:
  """What was clustered instead of the features, in words; '' if nothing."""
  r = results['reduction']
  if r['method'] == 'none':
    return ''
  one = unit(results)
  text = f'{_components(r)}, fitted on the training {one}s'
  if r['fit'] == 'separate':
    text += f'; the test {one}s by themselves, a mistake made on purpose'
  return text


def _components(r: dict[str, Any]) -> str:
  number = formatting.counted(r['n_components'], 'principal component')
  share = formatting.percent(r['explained_variance'])
  return f'{number} ({share} of the variance)'


def rejected(results: dict[str, Any]) -> str:
  """The second clustering beside the one of the study, in a sentence."""
  own = results['reduction']['rejected']
  whose = ''
  papers = (results['published'] or {}).get('reduction', {}).get('rejected', {})
  if papers.get('n_components') == own['n_components']:
    whose = (
      ', which the paper rejected because they “could not provide meaningful'
      ' clusters”'
    )
  where = ' of the first fold' if wording.folds(results) else ''
  return (
    f'{_components(own)}{whose}, group the training'
    f' {unit(results)}s{where} as below.'
    ' Their agreement with the clusters of this report is'
    f' {agreement(own["adjusted_rand"])}: an'
    f' adjusted Rand index of {own["adjusted_rand"]:.2f}, where 1 is the'
    ' same grouping and 0 what chance gives.'
  )


def paragraph(results: dict[str, Any], config: dict[str, Any]) -> str:
  """The methods section, ready to paste.

  Args:
    results: `results.json`.
    config: the resolved configuration; {} if it is not known.

  Returns:
    One paragraph.
  """
  d = results['dataset']
  runs = tables.random_runs(results)
  one = unit(results)
  text = [
    'We assessed whether heterogeneity of the data set changes what a'
    ' convolutional network learns from it, following Wang (2023), with'
    f' heterojax {results["environment"]["heterojax"]} (seed'
    f' {results["seed"]}). The task was {d["positive"]} (positive) against'
    f' {d["negative"]}: {_sizes(results)}.',
    _split(results),
  ]
  if formatting.given(results):
    text.append(f'Each {one} was represented by {feature(results)}.')
  else:
    text.append(
      f'The network {network(results)} with {weights(results)} was'
      f' {frozen(results)}; each {one} was represented by'
      f' {feature(results)}.'
    )
  if reduced := reduction(results):
    text.append(f'Features were reduced to {reduced}.')
  folds = wording.folds(results)
  text.append(
    f'The training {one}s{" of each fold" if folds else ""} were grouped into'
    f' {results["cluster"]["k"]} clusters by {algorithm(results)}'
    f'{_starts(results)}, and every other {one} went to'
    f' {nearest(results)}.'
  )
  if folds:
    text.append(
      'Clusters of different folds were matched one to one by the'
      f' {one}s that they share (Hungarian method).'
    )
  text.append(
    f'A head of one sigmoid unit was trained on all training {one}s, on each'
    f' cluster, and {runs} times per cluster on equally many training {one}s'
    ' drawn at random without replacement.'
  )
  if heads := config.get('heads'):
    text.append(
      f'Training used up to {heads["epochs"]} epochs with batches of'
      f' {heads["batch_size"]}, Adam (learning rate'
      f' {heads["learning_rate"]:g}) and early stopping on'
      f' {heads["monitor"].removeprefix("val_")} with a patience of'
      f' {heads["patience"]}.'
    )
  over = 'on the whole test set'
  if folds:
    over = f'over the out-of-fold predictions of all {one}s'
  text.append(
    f'Accuracy, AUC, sensitivity and specificity were computed {over} at a'
    ' threshold of 0.5, with 95% intervals by Wilson and, for the AUC, by'
    ' DeLong. Between-cluster distances are Euclidean'
    ' distances of centroids, intra-cluster distances the mean Euclidean'
    f' distance of all pairs of training {one}s in a cluster.'
  )
  if folds:
    text.append('Distances and cluster sizes are means over the folds.')
  return ' '.join(text)


def settings(
  results: dict[str, Any], config: dict[str, Any]
) -> list[tuple[str, str]]:
  """Name and text of each, for a table."""
  d, folds = results['dataset'], wording.folds(results)
  split = f'{results["protocol"]} protocol: {_sizes(results)}.'
  rows = [('Split', f'{split} {_split(results)}')]
  if not formatting.given(results):
    how = f'{network(results)}, frozen, in {results["backbone"]["dtype"]}'
    rows.append(('Network', f'{how}; {weights(results)}'))
  rows.append(('Features', feature(results)))
  none = 'none: the features were clustered as they are'
  rows.append(('Reduction', reduction(results) or none))
  clusters = f'{algorithm(results)}, k = {results["cluster"]["k"]}'
  clusters += _starts(results)
  if own := config.get('cluster'):
    clusters += (
      f', at most {own["max_iter"]} iterations, tolerance {own["tol"]:g}'
    )
  clusters += f'; fitted on the training {unit(results)}s'
  if d['n_train_augmented'] > d['n_train']:
    clusters += ' with their copies'
  rows.append(('Clusters', f'{clusters}{", in each fold" if folds else ""}'))
  if own := config.get('heads'):
    rows.append((
      'Heads',
      f'at most {own["epochs"]} epochs, patience {own["patience"]}, batches'
      f' of {own["batch_size"]}, learning rate {own["learning_rate"]:g};'
      f' {own["random_runs"]} random runs per cluster',
    ))
  rows.append(('Seed', str(results['seed'])))
  return rows


def _sizes(results: dict[str, Any]) -> str:
  """How many images there were of each kind, in words."""
  d, one = results['dataset'], unit(results)
  copies = ''
  if d['n_train_augmented'] > d['n_train']:
    number = formatting.number(d['n_train_augmented'])
    copies = f' ({number} with augmented copies)'
  validation = 'none'
  if d['n_validation']:
    validation = formatting.number(d['n_validation'])
  parts = (
    f'{formatting.number(d["n_train"])} {one}s for training{copies},'
    f' {validation} for validation'
  )
  if folds := wording.folds(results):
    return (
      f'{d["n_test"]:,} {one}s, each tested once in {folds} folds; on average'
      f' a fold had {parts}'
    )
  return f'{parts} and {d["n_test"]:,} for testing'


def _split(results: dict[str, Any]) -> str:
  """What a reader of the paper must know about the test set."""
  if results['protocol'] == 'clean':
    units = unit(results)
    if audits.patients_known(results):
      units = f'patient and no {units}'
    text = (
      f'No {units} was in two parts, and early stopping used the validation'
      ' part.'
    )
    if not audits.patients_known(results):
      text += ' Patients were not known, so that some may be in two parts.'
    return text
  shared = sum((results['leaks']['shared_group'] or {}).values())
  part = 'test set'
  if results['dataset']['n_validation']:
    part = 'validation part'
  text = 'Rows were split at random, stratified by class, and early'
  if results['split']['named']:
    text = 'The split was that of the data set, and early'
  text += f' stopping used the {part}'
  if wording.folds(results):
    text = 'Early stopping used the fold that was tested'
  if shared:
    text += (
      f'; {shared:,} test {unit(results)}s are of a patient or group that was'
      ' also in training'
    )
  return f'{text}.'


def _starts(results: dict[str, Any]) -> str:
  number = results['cluster']['n_init']
  return f', the best of {number} starts' if number > 1 else ''


def agreement(rand: float) -> str:
  """An adjusted Rand index in words."""
  return next(word for least, word in _AGREEMENT if rand >= least)


def folds_agree(results: dict[str, Any]) -> str:
  """How alike the clusters of the folds are."""
  one = unit(results)
  others = [f['adjusted_rand_with_first'] for f in results['folds'][1:]]
  text = (
    f'Every fold has clusters of its own and gives every {one} one of them;'
    ' they got the numbers of the first fold’s clusters with which they share'
    f' most {one}s. Agreement is the adjusted Rand index over all {one}s: 1'
    ' is the same grouping, 0 what chance gives.'
  )
  if agreement(min(others)) == 'poor':
    text += (
      f' Where it is poor, a cluster’s number stands for different {one}s in'
      ' different folds, and what this report gives per cluster mixes them.'
    )
  return text
