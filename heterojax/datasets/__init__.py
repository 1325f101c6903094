"""Data sets: each module's read(path, positive, negative) gives a Cohort."""

import dataclasses
import pathlib

from heterojax.datasets import bone_age
from heterojax.datasets import folder
from heterojax.datasets import medmnist
from heterojax.datasets import nih
from heterojax.datasets import odir
from heterojax.datasets import prepared
from heterojax.datasets import ready
from heterojax.datasets.manifest import Cohort

READERS = {
    'odir5k': odir.read,
    'nih_cxr': nih.read,
    'bone_age': bone_age.read,
    'folder': folder.read,
    'medmnist': medmnist.read,
    'features': ready.read,
    'demo': folder.read,
    'demo_control': folder.read,
}
NAMES = tuple(READERS)


def read(
    name: str, path: pathlib.Path, positive: str, negative: str
) -> Cohort:
  """Finds the candidates of two classes.

  Args:
    name: one of `NAMES`.
    path: the folder or file of the data set, or what `launch.prepare` made of
      it.
    positive: label of the disease.
    negative: label of the other class.

  Returns:
    All candidates, none looked at yet.

  Raises:
    UserError: if this is not that data set, or has no such classes.
  """
  if prepared.find(path):
    return prepared.read(path, positive, negative)
  if name == 'folder' and path.suffix == '.npz':
    name = 'medmnist'
  cohort = READERS[name](path, positive, negative)
  if name.startswith('demo'):
    return dataclasses.replace(cohort, name=name)
  return cohort
