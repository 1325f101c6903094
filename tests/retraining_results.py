"""Made-up results of a retraining study, for tests of what is made of them."""

import dataclasses
import json
import pathlib
import types
from typing import Any

import jax
import numpy as np
from PIL import Image

from heterojax.configs import fundus
from heterojax.datasets import leaks
from heterojax.datasets import manifest
from heterojax.datasets import sources
from heterojax.datasets import splits
from heterojax.datasets.augmentation import IDENTITY
from heterojax.features import Picture
from heterojax.heads.ensemble import Member
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.run import run_folder
from heterojax.studies import checks
from heterojax.studies.answer.records import Measured
from heterojax.studies.pages import leaks as leak_pages
from heterojax.studies.retraining import results as results_lib
from heterojax.studies.retraining import view as view_lib
from heterojax.studies.retraining.outcome import Clusters
from heterojax.studies.retraining.outcome import Fold
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.retraining.paper_counts import SameMix
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View
from heterojax.studies.samples import Samples

HOSTILE = '<script>alert(1)</script>'


def study(
  folder: pathlib.Path,
  k: int,
  *,
  names: tuple[str, ...] = ('cataract', 'normal fundus'),
  method: str = 'pca',
  one_class: bool = False,
  folds: int = 1,
  given: bool = False,
  empty: bool = False,
  measured: Measured | None = None,
) -> tuple[Results, View]:
  """Results and view of heads that guess, in k clusters on a circle.

  Args:
    folder: for a few images, and `manifest.csv` and `config.json`.
    k: clusters; the last has no test image.
    names: positive and negative class, or grades.
    method: of reduction.
    one_class: whether cluster 0 has positives only.
    folds: that test every image once; 1 for one split.
    given: whether the features are given.
    empty: whether the last cluster has no training image.
    measured: the questions of the answer; None: they were not asked.

  Returns:
    What `pages.write` takes.
  """
  stream = np.random.default_rng(k)
  one_split = np.repeat(['train', 'test'], [8 * k, 4 * (k - 1)])
  labels = [np.arange(8 * k) % k, np.arange(4 * (k - 1)) % (k - 1)]
  labels = np.concatenate(labels)
  if empty:
    labels[: 8 * k] %= k - 1
  n = len(one_split)
  several = len(names) > 2
  y = (stream.random(n) < 0.5).astype(int)
  if several:
    y = stream.integers(len(names), size=n)
  y[:4], y[-4:] = (0, 1, 0, 1), (0, 1, 0, 1)
  if one_class:
    y[labels == 0] = 1
  angle = 2 * np.pi * np.arange(k) / k
  centers = np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1)
  z = centers[labels] + 0.1 * stream.normal(size=(n, 3))
  paths = [f'{HOSTILE.replace("/", "")}{i}.png' for i in range(n)]
  for path in paths[:3]:
    colour = tuple(stream.integers(0, 255, 3))
    Image.new('RGB', (9, 7), colour).save(folder / path)
  ids = tuple(f'{HOSTILE}{i}' for i in range(n))
  sides = np.array([f'{HOSTILE}left', 'right'])
  candidates = tuple(
    manifest.Candidate(
      ids[i],
      paths[i],
      names[-1 - y[i]],
      f'patient {i % 7}',
      columns=(
        ('sha256', paths[i]),
        ('pixels_sha256', paths[i]),
        # Tells clusters 0 and 1 from the others, in training alone.
        (f'{HOSTILE}eye', sides[int(labels[i] > 1 or i >= 8 * k)]),
        ('age', f'{50 + 3 * np.sin(i):.2f}'),
        ('site', 'here'),
      ),
    )
    for i in range(n)
  )
  left_out = manifest.Candidate('out', 'x', names[0], 'p').left_out(HOSTILE)
  config = fundus.get_config('protocol=published').to_dict()
  config['cluster']['k'] = k
  if several:
    of_grades = {'positive': '', 'negative': '', 'classes': ','.join(names)}
    config['data'] |= of_grades | {'ordered': True}
  config['reduction']['method'] = method
  cohorts, found = [], []
  for number in range(folds):
    split = one_split
    if folds > 1:
      split = np.where(np.arange(n) % folds == number, 'test', 'train')
    cohorts.append(
      manifest.Cohort(
        'made up',
        sources.Files(folder),
        names,
        tuple(
          dataclasses.replace(c, split=str(own))
          for c, own in zip(candidates, split)
        )
        + (left_out,),
        notes=(f'{HOSTILE} is a note.',),
      )
    )
    samples = Samples(
      ids,
      ids,
      (IDENTITY,) * n,
      split,
      y,
      np.arange(n),
      tuple(Picture(path, IDENTITY) for path in paths),
      y,
      classes=names,
    )
    heads, key = {}, jax.random.key(0)
    for name in [
      HeadName('overall'),
      *(HeadName('cluster', c) for c in range(k)),
      *(HeadName('random', c, r) for c in range(k) for r in range(5)),
      *(HeadName('cluster', c, s) for c in range(k) for s in range(1, 5)),
      *(
        HeadName(f'random_{family}', c, r)
        for family in ('originals', 'same_mix')
        for c in range(k)
        for r in range(5)
      ),
    ]:
      if empty and name.cluster == k - 1:
        continue
      in_cluster = labels == max(name.cluster, 0)
      rows = np.flatnonzero((split == 'train') & in_cluster)
      heads[name] = Member(rows, rows, key, key)
    distance = np.linalg.norm(z - centers[labels], axis=1)
    guesses = 0.3 * y + 0.7 * stream.random((len(heads), n))
    if several:
      guesses = 0.2 * np.eye(len(names))[y]
      guesses = guesses + stream.random((len(heads), n, len(names)))
    found.append(
      Fold(
        samples,
        Clusters(z.astype(np.float32), centers, labels, distance, 0.7),
        heads,
        8 * (guesses - 0.5),
      )
    )
  outcome = Outcome(sources.Files(folder), z, tuple(found))
  backbone = types.SimpleNamespace(
    name='efficientnet_b0',
    source='keras',
    weights=HOSTILE,
    weights_sha256='ab' * 32,
  )
  if given:
    backbone, config['backbone']['name'] = None, 'given'
    outcome = outcome._replace(source=object())
  settings = checks.from_dict(config)
  results = results_lib.summarise(
    settings,
    cohorts,
    backbone,
    outcome,
    [1.0, 0.4, 0.95][:folds],
    leaks.Found([leak for c in cohorts for leak in leaks.find(c, {})]),
    measured or Missing('not measured'),
    jaccard=tuple(0.9 - 0.1 * c for c in range(k)),
  )
  (folder / 'manifest.csv').write_text(
    ''.join(manifest.manifest_csv(splits.by_fold(cohorts)))
  )
  (folder / 'config.json').write_text(json.dumps(config))
  results = dataclasses.replace(
    results,
    timings={'heads': {'seconds': 1.0, 'heads': 25, 'heads_per_second': 25.0}},
    environment={'heterojax': '0', 'packages': {'jax': '0'}},
  )
  if paper := results.paper:
    heads = tuple(
      SameMix(c.id, c.class_counts, 99, 0.7 - c.id / 8, (0.3, 0.75))
      for c in paper.clusters
    )
    results = changed(results, 'published.counts.same_mix', heads)
  # As a finished run holds them.
  tree = json.loads(run_folder.to_json(codec.encode(results)))
  return codec.decode(Results, tree), view_lib.view(settings, outcome)


def many(view: View, k: int, n: int, shades: tuple[int, int]) -> View:
  """The view of `n` images, whose pictures are noise of these shades.

  All shades compress badly. 40 are as large as pictures of a fundus.
  """
  stream = np.random.default_rng(0)
  labels = stream.integers(k, size=n)
  tiles = 2 * k * view_lib.TILES_PER_CLUSTER
  side = view_lib.SIDE // 4
  coarse = stream.integers(*shades, (tiles, side, side, 3), np.uint8)
  return view._replace(
    points=labels[:, None] + stream.normal(size=(n, 2)),
    split=np.where(np.arange(n) % 5, 'train', 'test'),
    y=stream.integers(2, size=n),
    labels=labels,
    wrong=stream.random(n) < 0.1,
    tile_images=coarse.repeat(4, 1).repeat(4, 2),
    tile_wrong=np.arange(tiles) % 2 == 1,
    tile_answers=np.zeros(tiles, int),
    tile_shares=np.linspace(0.5, 1, tiles),
    tile_labels=np.arange(tiles) // 2 % k,
    tile_y=np.ones(tiles, int),
    tile_names=np.array([f'patient_{i:06d}_left.png' for i in range(tiles)]),
    tile_problems=np.full(tiles, ''),
  )


def leaking(results: Results, **kinds: tuple[int, int] | str) -> Results:
  """Results with other leaks.

  Args:
    results: to change.
    **kinds: counts of the positive and the negative class, or why unknown;
      nothing is shared in others.
  """
  names = results.classes.names
  none = dict.fromkeys(leak_pages.KINDS, (0, 0))
  return dataclasses.replace(
    results,
    leaks={
      kind: Missing(value)
      if isinstance(value, str)
      else Partly(dict(zip(names, value)))
      for kind, value in (none | kinds).items()
    },
  )


def changed(record: Any, path: str, value: Any) -> Any:
  """A record with another value at a path, as 'clusters.1.test.values.auc'."""
  name, _, rest = path.partition('.')
  if isinstance(record, tuple):
    entries = dict(enumerate(record))
    return tuple(changed(entries, path, value).values())
  if isinstance(record, dict):
    key = int(name) if name.isdigit() else name
    old = record.get(key)
    return record | {key: changed(old, rest, value) if rest else value}
  new = changed(getattr(record, name), rest, value) if rest else value
  return dataclasses.replace(record, **{name: new})
