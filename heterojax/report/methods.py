"""How a run was done: the methods paragraph and what is not in the paper."""

from typing import Any

from heterojax.report import wording

# Where a statement comes from.
INFERRED, OUR_CHOICE, KERAS = '[inferred]', '[our choice]', '[Keras default]'
_NETWORKS = {
    'efficientnet_b0': 'EfficientNet-B0',
    'efficientnet_lite0': 'EfficientNet-Lite0',
    'resnet18': 'ResNet18',
    'vgg16': 'VGG16',
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


def network(results: dict[str, Any]) -> str:
  name = results['backbone']['name']
  return _NETWORKS.get(name, name)


def weights(results: dict[str, Any]) -> str:
  """Which weights, in words."""
  b = results['backbone']
  if b['weights_sha256'] is None:
    return 'random weights'
  return (
      f'weights {b["weights"]} (source {b["source"]}; SHA-256'
      f' {b["weights_sha256"]})'
  )


def feature(results: dict[str, Any]) -> str:
  """What stands for an image, in words."""
  dim = f'{results["backbone"]["dim"]:,} numbers'
  if results['backbone']['feature'] == 'flatten':
    return f'the whole last feature map ({dim})'
  return f'the mean of the last feature map over the image ({dim})'


def protocol(results: dict[str, Any]) -> str:
  """The split, in words."""
  if results['protocol'] == 'published':
    return (
        'Published protocol: rows of the table are split at random, stratified'
        ' by class, whatever file or patient they show. There is no validation'
        ' part, so that early stopping looks at the test set [inferred].'
    )
  unit = 'patient' if wording.patients_known(results) else 'image'
  return (
      f'Clean protocol: every distinct image once, no {unit} in two parts, and'
      ' a validation part of the training images that decides about early'
      ' stopping for every head. The test set is looked at once, at the end.'
  )


def reduction(results: dict[str, Any]) -> str:
  """What was clustered instead of the features, in words; '' if nothing."""
  r = results['reduction']
  if r['method'] == 'none':
    return ''
  text = (
      f'{wording.counted(r["n_components"], "principal component")}'
      f' ({wording.percent(r["explained_variance"])} of the variance), fitted'
      ' on the training images'
  )
  if r['fit'] == 'separate':
    text += '; the test images by themselves, a mistake made on purpose'
  return text


def paragraph(results: dict[str, Any], config: dict[str, Any]) -> str:
  """The methods section, ready to paste.

  Args:
    results: `results.json`.
    config: the resolved configuration; {} if it is not known.

  Returns:
    One paragraph.
  """
  d = results['dataset']
  runs = len(results['clusters'][0]['random']['runs'])
  copies = ''
  if d['n_train_augmented'] > d['n_train']:
    copies = f' ({d["n_train_augmented"]:,} with augmented copies)'
  text = [
      'We assessed whether heterogeneity of the data set changes what a'
      ' convolutional network learns from it, following Wang (2023), with'
      f' heterojax {results["environment"]["heterojax"]} (seed'
      f' {results["seed"]}). The task was {d["positive"]} (positive) against'
      f' {d["negative"]}: {d["n_train"]:,} images for training{copies},'
      f' {d["n_validation"] or "none"} for validation and {d["n_test"]:,} for'
      ' testing.',
      _split(results),
      f'The network {network(results)} with {weights(results)} was frozen; each'
      f' image was represented by {feature(results)}.',
  ]
  if reduced := reduction(results):
    text.append(f'Features were reduced to {reduced}.')
  k = len(results['clusters'])
  text.append(
      f'K-means grouped the training images into {k} clusters'
      f'{_kmeans(config)}, and every other image went to the nearest centroid.'
  )
  text.append(
      'A head of one sigmoid unit was trained on all training images, on each'
      f' cluster, and {runs} times per cluster on equally many training images'
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
  text.append(
      'Accuracy, AUC, sensitivity and specificity were computed on the whole'
      ' test set at a threshold of 0.5. Between-cluster distances are Euclidean'
      ' distances of centroids, intra-cluster distances the mean Euclidean'
      ' distance of all pairs of training images in a cluster.'
  )
  return ' '.join(text)


def _split(results: dict[str, Any]) -> str:
  """What a reader of the paper must know about the test set."""
  if results['protocol'] == 'clean':
    units = 'patient and no image'
    if not wording.patients_known(results):
      units = 'image'
    text = (
        f'No {units} was in two parts, and early stopping used the validation'
        ' part.'
    )
    if not wording.patients_known(results):
      text += ' Patients were not known, so that some may be in two parts.'
    return text
  shared = sum((results['leaks']['shared_group'] or {}).values())
  text = (
      'Rows were split at random, stratified by class, and early stopping used'
      ' the test set'
  )
  if shared:
    text += (
        f'; {shared:,} test images are of a patient or group that was also in'
        ' training'
    )
  return f'{text}.'


def _kmeans(config: dict[str, Any]) -> str:
  if 'cluster' not in config:
    return ''
  return f' (the best of {config["cluster"]["n_init"]} starts)'


def not_in_the_paper(
    results: dict[str, Any], config: dict[str, Any]
) -> list[tuple[str, str]]:
  """Marks and statements: where this run is not simply the paper."""
  notes = []
  b, clean = results['backbone'], results['protocol'] == 'clean'
  if b['name'] != 'efficientnet_b0':
    notes.append((
        OUR_CHOICE,
        f'The network is {network(results)}; the paper used EfficientNet-B0.',
    ))
  if b['feature'] == 'flatten':
    notes.append((
        INFERRED,
        'The paper’s “second-last layer” is taken to be the whole last feature'
        ' map: its intra-cluster distances of 195 to 428 fit that, not the mean'
        ' over the image.',
    ))
  else:
    notes.append((
        OUR_CHOICE,
        'Features are the mean of the last feature map over the image; the'
        ' paper’s distances fit the whole map.',
    ))
  if clean:
    notes.append((
        OUR_CHOICE,
        'Distinct images, no known patient in two parts, and a validation part;'
        ' the paper splits rows and names no third part.',
    ))
  else:
    notes.append((
        INFERRED,
        'The validation set that the paper monitors is taken to be the test'
        ' set, because it names no third part.',
    ))
  d = results['dataset']
  if d['n_train_augmented'] > d['n_train']:
    notes.append((
        OUR_CHOICE,
        'Augmented copies are flips and rotations of up to 15 degrees; the'
        ' paper gives their number, not their kind.',
    ))
  if config.get('data', {}).get('balance'):
    notes.append((
        OUR_CHOICE,
        'Which images of the larger class are drawn is decided by the seed; the'
        ' paper’s draw is unknown.',
    ))
  vary = config.get('heads', {}).get('random_vary')
  if vary == 'both':
    notes.append((
        OUR_CHOICE,
        'Each random run draws its own images and its own initial weights; the'
        ' paper’s words also allow one draw trained five times.',
    ))
  elif vary:
    notes.append((
        OUR_CHOICE,
        'The random runs of a cluster share one draw and differ in their'
        ' initial weights and the order of images.',
    ))
  notes += [
      (
          INFERRED,
          'Distances are Euclidean, in the space that was clustered, over all'
          ' training images with their copies.',
      ),
      (
          OUR_CHOICE,
          'K-means keeps the best of several starts; the paper names none.',
      ),
      (
          KERAS,
          'Where the paper is silent about training: initial weights, the'
          ' optimiser’s constants, the order of images, the moment of early'
          ' stopping and which epoch is kept.',
      ),
  ]
  return notes
