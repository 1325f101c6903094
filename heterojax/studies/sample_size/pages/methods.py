"""How a sample-size study was done: in a table, and ready to paste."""

from heterojax.records import codec
from heterojax.report import formatting
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.studies.pages import clusters
from heterojax.studies.pages import heads as head_words
from heterojax.studies.pages import network as networks
from heterojax.studies.pages import questions
from heterojax.studies.pages import scores
from heterojax.studies.sample_size.pages import values
from heterojax.studies.sample_size.records import Results
from heterojax.studies.settings import Settings

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


def folds(results: Results) -> int:
  """Folds of the largest size; 1 where the data were split once."""
  return len(results.largest.folds)


def trained(results: Results) -> bool:
  """Whether the network itself was trained, per fold and size."""
  return results.backbone.train == 'full'


def network(results: Results) -> str:
  """Network and weights in words."""
  network = results.backbone
  how = 'trained further in every fold of every size'
  if not trained(results):
    how = 'frozen'
  how += f', in {network.dtype}'
  return f'{networks.title(network)}, {how}; {networks.weights(network)}'


def reduction(results: Results) -> str:
  """What was clustered instead of the features; '' if nothing."""
  r = results.reduction
  if r.method == 'none':
    return ''
  number, share = 'principal components', ''
  if (n := codec.known(r.n_components)) is not None:
    number = counted(n, 'principal component')
    if not float(n).is_integer():
      number += ' on average'
  if (explained := codec.known(r.explained_variance)) is not None:
    share = f' ({formatting.percent(explained)} of the variance)'
  if r.solver:
    share += ', approximated in two reads of the features'
  return (
    f'{number}{share}{_RULES[r.rule]}, fitted on the training'
    f' {results.unit}s of each fold'
  )


def algorithm(results: Results) -> str:
  """The clustering with what it depends on."""
  return f'{clusters.algorithm(results.cluster)}, k = {results.cluster.k}'


def matching(results: Results) -> str:
  """Which clusters got one number, and by what."""
  by = f'by the {results.unit}s that they share'
  if results.cluster.matching == 'members':
    return f'clusters of different trainings, folds and sizes were matched {by}'
  return (
    f'clusters of different trainings were matched {by} and their'
    f' {values.metric(results)}, those of different folds and sizes {by}'
  )


def trainings(results: Results) -> str:
  c = results.cluster
  starts = counted(c.n_init, 'random start')
  best = f'{"the best of" if c.n_init > 1 else "from"} {starts}'
  return f'{counted(c.trainings, "training")} per fold, each {best}'


def sizes(results: Results) -> str:
  return listed(formatting.number(size.n) for size in results.by_size)


def data(results: Results) -> str:
  """The task and its images, in words."""
  d = results.dataset
  n = counted(d.n, results.unit)
  if target := d.target:
    low, high, mean, std = (
      formatting.resolved(value, target.std)
      for value in (target.min, target.max, target.mean, target.std)
    )
    return (
      f'regression on {n} (target {low} to {high}, mean {mean},'
      f' standard deviation {std})'
    )
  counts = listed(
    formatting.of_class(count, label)
    for label, count in (d.class_counts or {}).items()
  )
  return f'classification of {n} ({counts})'


def paragraph(results: Results, settings: Settings | None) -> str:
  """The methods section, ready to paste.

  Args:
    results: of the study.
    settings: of the study; None where they are not known.

  Returns:
    One paragraph.
  """
  metric, one = values.metric(results), results.unit
  text = [
    'We measured heterogeneity as the coefficient of variation (CV) of the'
    f' {metric} over clusters of {one}s at growing sample sizes, following'
    f' Mendez et al. (2019), with heterojax'
    f' {results.environment["heterojax"]} (seed {results.seed}). The'
    f' task was {data(results)}. Sample sizes were {sizes(results)} {one}s'
    f'{_nested(results, settings)}; {_folds(results)}.',
    _validation(results),
    _features(results),
  ]
  if results.predictions_given:
    text.append('Predictions were given with the features.')
  else:
    text.append(_predicted_by(results, settings))
  if reduced := reduction(results):
    text.append(f'Features were reduced to {reduced}.')
  text.append(
    f'The training {one}s of each fold were clustered by'
    f' {algorithm(results)}, and every test {one} went to'
    f' {clusters.nearest(results.cluster)}. There were {trainings(results)};'
    f' {matching(results)} (Hungarian method).'
  )
  text.append(
    f'The {metric} was computed for the test {one}s of each'
    f' cluster{_scale(results)}.'
    ' The CV is the population standard deviation over the mean of these'
    f' values, clusters without test {one}s left out, averaged over trainings'
    ' and then over folds. Beside it stand the mean and the central 95% of'
    f' the CVs after {_exchange(results)} over clusters, which keeps'
    f' {_kept(results)}, and the corrected CV, the square root of the excess of'
    ' the squared CV over its mean under permutation, which is averaged over'
    f' folds.{_apart(results)}{_draws(results)}'
  )
  text.append(_relation(results))
  numbers = results.task == 'regression'
  text.append(questions.sentences(results.verdict, one, numbers=numbers))
  return ' '.join(filter(None, text))


def _exchange(results: Results) -> str:
  """What was permuted for the band of chance."""
  strata = [
    *(['class'] if results.within_classes else []),
    *(['fold'] if folds(results) > 1 else []),
  ]
  text = f'permuting the test {results.unit}s'
  if strata:
    text += f' of each {listed(strata)}'
  if results.largest.band_unit == 'image':
    return text
  alike = 'as many of each class' if results.within_classes else 'as many'
  return (
    f'{text}, those of a patient or group together with those of another that'
    f' has {alike},'
  )


def _kept(results: Results) -> str:
  """What permutations keep."""
  if results.within_classes:
    return (
      'the sizes of clusters and their classes and removes every other'
      ' difference'
    )
  return 'the cluster sizes and removes every heterogeneity'


def _apart(results: Results) -> str:
  """What permutations of patients do not keep, and how the band allows it."""
  if results.largest.band_unit == 'image':
    return ''
  return (
    f' Where {results.unit}s of a patient or group were more alike in one'
    ' cluster than in two, permuted values of clusters were taken as much'
    ' further from their mean.'
  )


def _draws(results: Results) -> str:
  """How the p-value was counted, and which units had no other like them."""
  size = results.largest
  if not size.band_draws:  # Not known, or no exchange would change the CV.
    return ''
  draws = formatting.number(size.band_draws)
  text = (
    f' Of B permutations ({draws} at {values.of_size(size.n)}) b gave a CV that'
    ' is not below the observed one: p = (1 + b) / (1 + B).'
  )
  if size.band_stays:
    stay = 'kept its place' if size.band_stays == 1 else 'kept their places'
    text += (
      f' {formatting.capital(counted(size.band_stays, size.band_unit))} there,'
      f' for want of another like it, {stay}.'
    )
  return text


def _nested(results: Results, settings: Settings | None) -> str:
  """What sizes have to do with each other; '' where that is not known."""
  if settings is None or settings.data.files or len(results.sizes) == 1:
    return ''
  if settings.nested:
    return ', each holding the smaller ones'
  return ', each drawn anew'


def _folds(results: Results) -> str:
  if folds(results) == 1:
    return 'each size was split once'
  kind = 'no known patient or group was in two folds'
  if results.split.named:
    kind = 'the folds were given'
  return f'each size was divided into {folds(results)} folds ({kind})'


def _validation(results: Results) -> str:
  """The part that early stopping looked at, a sentence with its numbers."""
  if results.heads:
    return head_words.NO_EARLY_STOPPING
  fold = ' of each fold' if folds(results) > 1 else ''
  if results.peeks:
    return (
      'There was no validation part: early stopping looked at the test'
      f' {results.unit}s{fold}.'
    )
  if not results.validated:
    return ''
  by_size = results.by_size
  n = by_size[-1].validation[0]
  share = n / (n + by_size[-1].folds[0].n_train)
  numbers = listed(
    f'{values.spread(size.validation)} at {values.of_size(size.n)}'
    for size in by_size
  )
  return (
    f'A validation part{fold}, {formatting.percent(share, 0)} of the'
    f' {results.unit}s that were not tested ({numbers}), decided about early'
    ' stopping and was used for nothing else.'
  )


def _relation(results: Results) -> str:
  """How CV and metric were related, as far as they could be."""
  relation, how = results.cv_vs_metric, []
  if codec.known(relation.pearson) is not None:
    how.append('Pearson and Spearman correlations')
  if codec.known(relation.fit) is not None:
    how.append('least-squares lines')
  if not how:
    return ''
  return f'{listed(how)} relate CV and {values.metric(results)} over sizes.'


def _features(results: Results) -> str:
  if results.backbone.given:
    return (
      f'Each sample was represented by {networks.feature(results.backbone)}.'
    )
  network, how = results.backbone, 'was trained in every fold of every size'
  if not trained(results):
    how = f'was {networks.frozen(network)}'
  return (
    f'The network {networks.title(network)} with {networks.weights(network)}'
    f' {how}; each image was represented by {networks.feature(network)}.'
  )


def _predicted_by(results: Results, settings: Settings | None) -> str:
  """The top model, a sentence."""
  if results.heads:
    return (
      f'The top model was {_model(results, settings)}.'
      f' {head_words.sentence(results.heads, results.unit)}'
    )
  return f'The top model was {_top_model(results, settings)}.'


def _model(results: Results, settings: Settings | None) -> str:
  """What predicts."""
  if results.task == 'regression':
    widths = ''
    if settings:
      widths = f' ({listed(settings.heads.widths)} units and one output)'
    return f'a fully connected regression model{widths}'
  return scores.units(results.classes)


def _top_model(results: Results, settings: Settings | None) -> str:
  """What predicts, and how it was trained."""
  if results.heads:
    return head_words.title(results.heads, results.unit)
  model = _model(results, settings)
  if not settings:
    return model
  own, adam, decay = settings.heads, 'Adam', ''
  l2 = head_words.kernel_penalty(own.l2)
  if trained(results):
    model += ', trained together with the network'
    own, adam, l2 = settings.fine_tuning, 'AdamW', ''
    decay = f', weight decay {own.weight_decay:g}'
  else:
    model += ', trained'
  monitor = settings.heads.monitor.removeprefix('val_')
  return (
    f'{model} for up to {counted(own.epochs, "epoch")} with batches of'
    f' {own.batch_size}, {adam} (learning rate'
    f' {own.learning_rate:g}{decay}{l2}) and early'
    f' stopping on {monitor} with a patience of {own.patience}'
  )


def _scale(results: Results) -> str:
  if results.metric == 'accuracy':
    return ''
  return (
    ' (root mean squared error over the range of the targets of the whole'
    ' test set of the fold)'
  )


def rows(results: Results, settings: Settings | None) -> list[tuple[str, str]]:
  """Name and text of each, for a table."""
  told = [('Task', data(results))]
  told.append(('Sizes', f'{sizes(results)}{_nested(results, settings)}'))
  split = f'{results.protocol} protocol; {_folds(results)}.'
  told.append(('Split', f'{split} {_validation(results)}'.rstrip()))
  if not results.backbone.given:
    told.append(('Network', network(results)))
  told.append(('Features', networks.feature(results.backbone)))
  none = 'none: the features were clustered as they are'
  told.append(('Reduction', reduction(results) or none))
  how = f'{algorithm(results)}; {trainings(results)}'
  if settings:
    c = settings.cluster
    how += f', at most {c.max_iter} iterations, tolerance {c.tol:g}'
  told.append(('Clusters', how))
  if results.predictions_given:
    told.append(('Top model', 'none: predictions were given'))
  elif settings:
    told.append(('Top model', _top_model(results, settings)))
  told.append(('Seed', str(results.seed)))
  return told
