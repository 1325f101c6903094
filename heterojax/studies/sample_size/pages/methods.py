"""How a sample-size study was done: in a table, and ready to paste."""

from typing import Any

from heterojax.report import formatting
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import unit
from heterojax.studies.retraining.pages import methods as shared
from heterojax.studies.sample_size.pages import values

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


def folds(results: dict[str, Any]) -> int:
  """Of the largest size; 1 where the data were split once."""
  return len(values.smallest_first(results)[-1]['folds'])


def trained(results: dict[str, Any]) -> bool:
  """Whether the network itself was trained, per fold and size."""
  return results['backbone']['train'] == 'full'


def predictions_given(results: dict[str, Any]) -> bool:
  """Whether files said what was predicted, so that no top model was trained."""
  return formatting.given(results) and not results['timings']['heads']['heads']


def validated(results: dict[str, Any]) -> bool:
  """Whether there is a validation part."""
  return any(n for size in results['sizes'] for n in values.validation(size))


def peeks(results: dict[str, Any]) -> bool:
  """Whether early stopping looked at what is tested."""
  return not (validated(results) or predictions_given(results))


def network(results: dict[str, Any]) -> str:
  """Network and weights in words."""
  how = 'trained further in every fold of every size'
  if not trained(results):
    how = 'frozen'
  how += f', in {results["backbone"]["dtype"]}'
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
    f'{number}{share}{_RULES[r["rule"]]}, fitted on the training'
    f' {unit(results)}s of each fold'
  )


def algorithm(results: dict[str, Any]) -> str:
  """The clustering with what it depends on."""
  return f'{shared.algorithm(results)}, k = {results["cluster"]["k"]}'


def matching(results: dict[str, Any]) -> str:
  """Which clusters got one number, and by what."""
  by = f'by the {unit(results)}s that they share'
  if results['cluster']['matching'] == 'members':
    return f'clusters of different trainings, folds and sizes were matched {by}'
  return (
    f'clusters of different trainings were matched {by} and their'
    f' {values.metric(results)}, those of different folds and sizes {by}'
  )


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
  n = counted(d['n'], unit(results))
  if results['task'] == 'regression':
    target = d['target']
    return (
      f'regression on {n} (target'
      f' {target["min"]:g} to {target["max"]:g}, mean {target["mean"]:.4g},'
      f' standard deviation {target["std"]:.4g})'
    )
  counts = listed(
    formatting.of_class(count, label)
    for label, count in d['class_counts'].items()
  )
  return f'classification of {n} ({counts})'


def paragraph(results: dict[str, Any], config: dict[str, Any]) -> str:
  """The methods section, ready to paste.

  Args:
    results: `results.json`.
    config: the resolved configuration; {} if it is not known.

  Returns:
    One paragraph.
  """
  metric, one = values.metric(results), unit(results)
  text = [
    'We measured heterogeneity as the coefficient of variation (CV) of the'
    f' {metric} over clusters of {one}s at growing sample sizes, following'
    f' Mendez et al. (2019), with heterojax'
    f' {results["environment"]["heterojax"]} (seed {results["seed"]}). The'
    f' task was {data(results)}. Sample sizes were {sizes(results)} {one}s'
    f'{_nested(config)}; {_folds(results)}.',
    _validation(results),
    _features(results),
  ]
  if predictions_given(results):
    text.append('Predictions were given with the features.')
  else:
    text.append(f'The top model was {_top_model(results, config)}.')
  if reduced := reduction(results):
    text.append(f'Features were reduced to {reduced}.')
  text.append(
    f'The training {one}s of each fold were clustered by'
    f' {algorithm(results)}, and every test {one} went to'
    f' {shared.nearest(results)}. There were {trainings(results)};'
    f' {matching(results)} (Hungarian method).'
  )
  text.append(
    f'The {metric} was computed for the test {one}s of each'
    f' cluster{_scale(results)}.'
    ' The CV is the population standard deviation over the mean of these'
    f' values, clusters without test {one}s left out, averaged over trainings'
    ' and then over folds. Beside it stand the mean and the central 95% of'
    f' the CVs after {_exchange(results)} over clusters, which keeps the'
    ' cluster sizes and removes every heterogeneity, and the corrected CV,'
    ' the square root of the excess of the squared CV over its mean under'
    ' permutation.'
  )
  text.append(_relation(results))
  return ' '.join(filter(None, text))


def _exchange(results: dict[str, Any]) -> str:
  """What was permuted for the band of chance."""
  one = unit(results)
  if values.smallest_first(results)[-1].get('band_unit') == 'group':
    return (
      f'permuting the test {one}s, those of a patient or group together with'
      ' those of another that has as many,'
    )
  return f'permuting the test {one}s'


def _nested(config: dict[str, Any]) -> str:
  if 'nested' not in config or config.get('data', {}).get('files'):
    return ''
  if config['nested']:
    return ', each holding the smaller ones'
  return ', each drawn anew'


def _folds(results: dict[str, Any]) -> str:
  if folds(results) == 1:
    return 'each size was split once'
  kind = 'no known patient or group was in two folds'
  if results['protocol'] == 'published':
    kind = 'rows were assigned whatever patient they show'
  if results['split']['named']:
    kind = 'the folds were given'
  return f'each size was divided into {folds(results)} folds ({kind})'


def _validation(results: dict[str, Any]) -> str:
  """The part that early stopping looked at, a sentence with its numbers."""
  fold = ' of each fold' if folds(results) > 1 else ''
  if peeks(results):
    return (
      'There was no validation part: early stopping looked at the test'
      f' {unit(results)}s{fold}.'
    )
  if not validated(results):
    return ''
  by_size = values.smallest_first(results)
  kept = [values.validation(size) for size in by_size]
  largest = by_size[-1]['folds'][0]
  share = kept[-1][0] / (kept[-1][0] + largest['n_train'])
  numbers = listed(
    f'{values.spread(own)} at {values.of_size(size["n"])}'
    for own, size in zip(kept, by_size, strict=True)
  )
  return (
    f'A validation part{fold}, {formatting.percent(share, 0)} of the'
    f' {unit(results)}s that were not tested ({numbers}), decided about early'
    ' stopping and was used for nothing else.'
  )


def _relation(results: dict[str, Any]) -> str:
  """How CV and metric were related, as far as they could be."""
  found, how = results['cv_vs_metric'], []
  if found['pearson'] is not None:
    how.append('Pearson and Spearman correlations')
  if found['fit'] is not None:
    how.append('least-squares lines')
  if not how:
    return ''
  return f'{listed(how)} relate CV and {values.metric(results)} over sizes.'


def _features(results: dict[str, Any]) -> str:
  if formatting.given(results):
    return f'Each sample was represented by {shared.feature(results)}.'
  how = 'was trained in every fold of every size'
  if not trained(results):
    how = f'was {shared.frozen(results)}'
  return (
    f'The network {shared.network(results)} with {shared.weights(results)}'
    f' {how}; each image was represented by {shared.feature(results)}.'
  )


def _top_model(results: dict[str, Any], config: dict[str, Any]) -> str:
  """What predicts, and how it was trained."""
  if results['task'] == 'regression':
    widths = (config.get('heads') or {}).get('widths')
    hidden = f' ({listed(widths)} units and one output)' if widths else ''
    model = f'a fully connected regression model{hidden}'
  else:
    model = 'one sigmoid unit'
  if heads := config.get('heads'):
    model += (
      f', trained for up to {heads["epochs"]} epochs with batches of'
      f' {heads["batch_size"]}, Adam (learning rate'
      f' {heads["learning_rate"]:g}) and early stopping on'
      f' {heads["monitor"].removeprefix("val_")} with a patience of'
      f' {heads["patience"]}'
    )
  return model


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
  split = f'{results["protocol"]} protocol; {_folds(results)}.'
  rows.append(('Split', f'{split} {_validation(results)}'.rstrip()))
  if not formatting.given(results):
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
  if predictions_given(results):
    rows.append(('Top model', 'none: predictions were given'))
  elif config.get('heads'):
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
