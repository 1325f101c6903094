"""What the test set shares with training: images and groups."""

from heterojax.datasets.manifest import Cohort

KINDS = {
    'same_path': lambda c: c.path,
    'identical_file': lambda c: dict(c.columns)['sha256'],
    'shared_group': lambda c: c.group,
}


def audit(cohort: Cohort) -> dict[str, dict[str, int]]:
  """Counts test images that training has seen.

  Args:
    cohort: selected and split.

  Returns:
    For each kind, by class, the number of test candidates whose file name,
    file content or group also occurs in training (validation included, where
    it is not the test set itself).
  """
  test = [c for c in cohort.included if c.split == 'test']
  others = [c for c in cohort.included if c.split != 'test']
  counts = {}
  for kind, of in KINDS.items():
    seen = {of(c) for c in others}
    counts[kind] = {
        label: sum(c.label == label and of(c) in seen for c in test)
        for label in (cohort.positive, cohort.negative)
    }
  return counts
