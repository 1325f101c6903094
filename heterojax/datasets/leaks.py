"""What the test set shares with training: images and groups."""

from typing import Any

from heterojax.datasets.manifest import Cohort

_KINDS = {
    'same_path': lambda c: c.path,
    'identical_file': lambda c: dict(c.columns)['sha256'],
    'shared_group': lambda c: c.group,
}


def audit(cohort: Cohort) -> dict[str, Any]:
  """Counts test images that training has seen.

  Args:
    cohort: selected and split.

  Returns:
    For each kind, by class, the number of test candidates whose file name,
    file content or group also occurs in training (validation included, where
    it is not the test set itself). Groups are None, with the reason, where an
    image names none.
  """
  used = cohort.included
  test = [c for c in used if c.split == 'test']
  counts: dict[str, Any] = {}
  for kind, of in _KINDS.items():
    seen = {of(c) for c in used if c.split != 'test'}
    counts[kind] = {
        label: sum(c.label == label and of(c) in seen for c in test)
        for label in (cohort.positive, cohort.negative)
    }
  if unknown := sum(not c.group for c in used):
    counts['shared_group'] = None
    counts['shared_group_why'] = (
        f'{unknown} of {len(used)} images name no patient or group'
    )
  return counts
