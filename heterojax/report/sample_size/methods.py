"""How a sample-size study was done: in a table, and ready to paste."""

from typing import Any

from heterojax.report import formatting
from heterojax.report import methods as shared
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.sample_size import values

CITATION = (
    'Mendez M., Calderon S., Tyrrell P. N. Using Cluster Analysis to Assess the'
    ' Impact of Dataset Heterogeneity on Deep Convolutional Network Accuracy: A'
    ' First Glance. Conference paper, October 2019.'
)
BIBTEX = """@inproceedings{mendez2019cluster,
  author = {Mendez, Mauro and Calderon, Saul and Tyrrell, Pascal N.},
  title = {Using Cluster Analysis to Assess the Impact of Dataset Heterogeneity
           on Deep Convolutional Network Accuracy: A First Glance},
  year = {2019},
  month = {October},
  note = {Conference paper}
}"""
_RULES = {
    'fixed': '',
    'variance': ', as many as explain the share of variance that was asked for',
    'minimum_mode_cv': (
        ', in each fold the fewest whose CV is the most frequent one (minimum'
        ' mode CV)'
    ),
}
_COVARIANCES = {
    'full': 'full covariances',
    'diag': 'diagonal covariances',
    'spherical': 'one variance per component',
}


def folds(results: dict[str, Any]) -> int:
  """Of the largest size; 1 where the data were split once."""
  return len(values.smallest_first(results)[-1]['folds'])


def trained(results: dict[str, Any]) -> bool:
  """Whether the network itself was trained, per fold and size."""
  return results['backbone']['train'] == 'full'


def network(results: dict[str, Any]) -> str:
  """Network and weights in words."""
  how = 'trained further in every fold of every size'
  if not trained(results):
    how = 'frozen'
  return f'{shared.network(results)}, {how}; {shared.weights(results)}'


def reduction(results: dict[str, Any]) -> str:
  """What was clustered instead of the features; '' if nothing."""
  r = results['reduction']
  if r['method'] == 'none':
    return ''
  number = 'principal components'
  if r['n_components'] is not None:
    number = counted(r['n_components'], 'principal component')
    if not float(r['n_components']).is_integer():
      number += ' on average'
  share = ''
  if r['explained_variance'] is not None:
    share = f' ({formatting.percent(r["explained_variance"])} of the variance)'
  return (
      f'{number}{share}{_RULES[r["rule"]]}, fitted on the training images of'
      ' each fold'
  )


def algorithm(results: dict[str, Any]) -> str:
  """The clustering with what it depends on."""
  c = results['cluster']
  text = values.METHODS[c['method']]
  if c['method'] == 'fuzzy':
    text += f' (fuzzifier {c["fuzzifier"]:g})'
  elif c['method'] == 'gmm':
    text += f' with {_COVARIANCES[c["covariance"]]}'
  return f'{text}, k = {c["k"]}'


def trainings(results: dict[str, Any]) -> str:
  c = results['cluster']
  starts = counted(c['n_init'], 'random start')
  best = f'{"the best of" if c["n_init"] > 1 else "from"} {starts}'
  return f'{counted(c["trainings"], "training")} per fold, each {best}'


def sizes(results: dict[str, Any]) -> str:
  return listed(
      formatting.number(size['n']) for size in values.smallest_first(results)
  )


def data(results: dict[str, Any]) -> str:
  """The task and its images, in words."""
  d = results['dataset']
  if results['task'] == 'regression':
    target = d['target']
    return (
        f'regression on {counted(d["n"], "image")} (target'
        f' {target["min"]:g} to {target["max"]:g}, mean {target["mean"]:.4g},'
        f' standard deviation {target["std"]:.4g})'
    )
  counts = listed(
      f'{formatting.number(n)} {label}'
      for label, n in d['class_counts'].items()
  )
  return f'classification of {counted(d["n"], "image")} ({counts})'


def paragraph(results: dict[str, Any], config: dict[str, Any]) -> str:
  """The methods section, ready to paste.

  Args:
    results: `results.json`.
    config: the resolved configuration; {} if it is not known.

  Returns:
    One paragraph.
  """
  metric = values.metric(results)
  text = [
      'We measured heterogeneity as the coefficient of variation (CV) of the'
      f' {metric} over clusters of images at growing sample sizes, following'
      f' Mendez et al. (2019), with heterojax'
      f' {results["environment"]["heterojax"]} (seed {results["seed"]}). The'
      f' task was {data(results)}. Sample sizes were {sizes(results)} images'
      f'{_nested(config)}; {_folds(results)}',
      _features(results),
  ]
  text.append(_top_model(results, config))
  if reduced := reduction(results):
    text.append(f'Features were reduced to {reduced}.')
  text.append(
      f'The training images of each fold were clustered by'
      f' {algorithm(results)}, and every test image went to the cluster that'
      f' fits it best. There were {trainings(results)}; clusters of different'
      ' trainings, folds and sizes were matched by the images that they share'
      ' (Hungarian method).'
  )
  text.append(
      f'The {metric} was computed for the test images of each'
      f' cluster{_scale(results)}.'
      ' The CV is the population standard deviation over the mean of these'
      ' values, clusters without test images left out, averaged over trainings'
      ' and then over folds. Beside it stand the mean and the central 95% of'
      ' the CVs after permuting the test images over clusters, which keeps the'
      ' cluster sizes and removes every heterogeneity, and the corrected CV,'
      ' the square root of the excess of the squared CV over its mean under'
      ' permutation. Pearson and Spearman correlations and least-squares lines'
      f' relate CV and {metric} over sizes.'
  )
  return ' '.join(filter(None, text))


def _nested(config: dict[str, Any]) -> str:
  if 'nested' not in config or config.get('data', {}).get('files'):
    return ''
  if config['nested']:
    return ', each holding the smaller ones'
  return ', each drawn anew'


def _folds(results: dict[str, Any]) -> str:
  if folds(results) == 1:
    return 'each size was split once.'
  kind = 'no known patient or group was in two folds'
  if results['protocol'] == 'published':
    kind = 'rows were assigned whatever patient they show'
  if results['split']['named']:
    kind = 'the folds were given'
  return f'each size was divided into {folds(results)} folds ({kind}).'


def _features(results: dict[str, Any]) -> str:
  if shared.given(results):
    return f'Each image was represented by {shared.feature(results)}.'
  how = 'was trained in every fold of every size'
  if not trained(results):
    how = 'was frozen'
  return (
      f'The network {shared.network(results)} with {shared.weights(results)}'
      f' {how}; each image was represented by {shared.feature(results)}.'
  )


def _top_model(results: dict[str, Any], config: dict[str, Any]) -> str:
  """What predicts; given features often come with predictions."""
  if shared.given(results):
    return (
        'Predictions in the files were used as they are; without any, a top'
        ' model was trained on the features.'
    )
  if results['task'] == 'regression':
    widths = (config.get('heads') or {}).get('widths')
    hidden = f' ({listed(widths)} units and one output)' if widths else ''
    model = f'a fully connected regression model{hidden}'
  else:
    model = 'one sigmoid unit'
  text = f'The top model was {model}'
  if heads := config.get('heads'):
    text += (
        f', trained for up to {heads["epochs"]} epochs with batches of'
        f' {heads["batch_size"]}, Adam (learning rate'
        f' {heads["learning_rate"]:g}) and early stopping on'
        f' {heads["monitor"].removeprefix("val_")} with a patience of'
        f' {heads["patience"]}'
    )
  return f'{text}.'


def _scale(results: dict[str, Any]) -> str:
  if results['metric'] == 'accuracy':
    return ''
  return (
      ' (root mean squared error over the range of the targets of the whole'
      ' test set of the fold)'
  )


def settings(
    results: dict[str, Any], config: dict[str, Any]
) -> list[tuple[str, str]]:
  """Name and text of each, for a table."""
  rows = [('Task', data(results))]
  rows.append(('Sizes', f'{sizes(results)}{_nested(config)}'))
  rows.append(('Split', f'{results["protocol"]} protocol; {_folds(results)}'))
  if not shared.given(results):
    rows.append(('Network', network(results)))
  rows.append(('Features', shared.feature(results)))
  none = 'none: the features were clustered as they are'
  rows.append(('Reduction', reduction(results) or none))
  clusters = f'{algorithm(results)}; {trainings(results)}'
  if own := config.get('cluster'):
    clusters += (
        f', at most {own["max_iter"]} iterations, tolerance {own["tol"]:g}'
    )
  rows.append(('Clusters', clusters))
  if config.get('heads') and not shared.given(results):
    rows.append(('Top model', _top_model(results, config)))
  if trained(results) and (tuning := config.get('fine_tuning')):
    rows.append((
        'Training of the network',
        f'up to {tuning["epochs"]} epochs, patience {tuning["patience"]},'
        f' batches of {tuning["batch_size"]}, learning rate'
        f' {tuning["learning_rate"]:g}, weight decay'
        f' {tuning["weight_decay"]:g}',
    ))
  rows.append(('Seed', str(results['seed'])))
  return rows
