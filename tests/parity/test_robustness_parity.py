"""Robustness of features against a column, against croma."""

import warnings

import numpy as np
import pytest

from heterojax.stats import robustness

pd = pytest.importorskip('pandas')
metrics = pytest.importorskip('croma.metrics')


@pytest.mark.parametrize('strength', [0.0, 1.0, 3.0])
@pytest.mark.parametrize('seed', [0, 1])
def test_is_croma(strength: float, seed: int) -> None:
  rng = np.random.default_rng(seed)
  n = 200
  y, site, units = (rng.integers(size, size=n) for size in (2, 3, 80))
  x = rng.standard_normal((n, 16))
  x[:, 0] += 2 * y
  x[:, 1:4] += strength * np.eye(3)[site]
  manifest = pd.DataFrame({
    'sample_id': np.arange(n).astype(str),
    'image_path': np.arange(n).astype(str),
    'label': y.astype(str),
    'group_id': units.astype(str),
    'site': site.astype(str),
  })
  found = robustness.robustness(x, y, site, units)
  ks = list(robustness.KS)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    index = metrics.RobustnessIndex.compute(
      x, manifest, confounder_column='site', k_candidates=ks
    )
    aware = metrics.MarginAwareRobustnessIndex.compute(
      x, manifest, confounder_column='site', k_candidates=ks
    )
    margin = metrics.CrossConfounderRobustnessMargin.compute(
      x, manifest, confounder_column='site'
    )
  assert found.k == index.k
  assert found.index == pytest.approx(index.value, abs=1e-6)
  assert found.margin_aware == pytest.approx(aware.value, abs=1e-6)
  assert found.margin == pytest.approx(margin.value, abs=1e-6)
  assert found.dominated == pytest.approx(margin.f0, abs=1e-6)
  assert found.tail == pytest.approx(margin.ltm_alpha, abs=1e-6)
