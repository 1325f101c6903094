"""What the analysis of features holds in memory, at its largest stage.

Features of some thousand images are held, and up to three times while they are
analysed. Those of more (`row_blocks.is_large`) stay in a mapped file, of which
the system keeps in memory what it has room for; then it is what hangs on them
that is held.
"""

from collections.abc import Sequence

from heterojax.compute import cores
from heterojax.compute import memory
from heterojax.compute import row_blocks
from heterojax.errors import UserError
from heterojax.heads import optimum
from heterojax.heads import reads
from heterojax.studies import samples as samples_lib
from heterojax.studies import stages
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads

# Measured on the made-up cohort with whole feature maps, of 480 and of 1,200
# images: 2.8 copies, and 0.7 GB whatever their number.
COPIES = 3
PROGRAMS = 700e6
# What Python holds of an image: its row of the manifest, names, splits.
_IMAGE = 2000


def of_analysis(
  settings: Settings,
  samples: Sequence[samples_lib.Samples],
  pictures: int,
  width: int,
  heads: Heads | None,
) -> float:
  """Bytes beside those of `PROGRAMS`.

  Args:
    settings: of the study.
    samples: of every fold.
    pictures: P.
    width: D.
    heads: that are trained, if any are.
  """
  numbers = pictures * width
  if not row_blocks.is_large(pictures, width):
    return COPIES * 4 * numbers
  # Of a float32, or of an index.
  held = _IMAGE * pictures + 4 * 5 * pictures * settings.reduction.n_components
  if heads is None:
    return held
  # What all heads say of all images, and its copy by folds.
  held += 2 * 8 * heads.number * pictures
  if not settings.at_optimum:
    validated = max(len(stages.validation(fold)) for fold in samples)
    return held + 4 * validated * width + 4 * heads.passes
  if optimum.is_read(pictures):
    # Of a fold: weights, probabilities and what is made of them
    # (`heads.reads`), each core's block, and the coefficients of these.
    of_fold = -(-heads.number // len(samples))
    blocks = cores.number() * reads.rows_of_block(width) * 8 * width
    held += 5 * 4 * of_fold * pictures + 16 * 8 * of_fold * width
    return held + blocks
  most = max(len(fold.of('train')) for fold in samples)
  if most > width or settings.data.dataset == 'features':
    # All features in float64, and on each core those of the largest head.
    return held + 8 * numbers + cores.number() * 8 * most * width
  return held + 3 * 8 * pictures**2


def check(
  settings: Settings,
  samples: Sequence[samples_lib.Samples],
  pictures: int,
  width: int,
  heads: Heads | None,
) -> None:
  """Raises a UserError where the analysis needs more than there is."""
  there = memory.most()
  needed = PROGRAMS + of_analysis(settings, samples, pictures, width, heads)
  if not there or needed <= there:
    return
  advice = 'take a machine with more, or fewer images (--config.data.where)'
  if heads and settings.at_optimum:
    advice += (
      ', or heads that are trained batch by batch (--config.heads.kind=keras)'
    )
  raise UserError(
    f'{pictures:,} images of {width:,} features need about'
    f' {needed / 1e9:,.0f} GB of memory and there are {there / 1e9:,.0f}:'
    f' {advice}.'
  )
