"""What the values of all images of a study tell that one image cannot."""

from collections import Counter
from collections.abc import Iterator, Sequence

from heterojax.datasets.pixels import Extent
from heterojax.datasets.sources import Inspection

_OPTION = '--config.data.range'
_SHARE = 1 / 8  # Of 0..255. Twelve bits in sixteen take a sixteenth.


def notes(looks: Sequence[Inspection]) -> Iterator[str]:
  """Sentences about values that a network hardly sees, or not as asked.

  Args:
    looks: at every image that is used; of features they say nothing.

  Yields:
    One sentence for each format and number of bits whose images all lie in one
    narrow part of 0..255, and for each way in which images are shown that their
    files do not ask for.
  """
  yield from _narrow(looks)
  for note, number in Counter(look.note for look in looks if look.note).items():
    yield f'{note.format(f"{number:,} of {len(looks):,} images")}.'


def _narrow(looks: Sequence[Inspection]) -> Iterator[str]:
  kinds: dict[tuple[str, str], list[Extent]] = {}
  for look in looks:
    if look.shown is not None:
      columns = dict(look.columns)
      kind = columns['format'], columns['bit_depth']
      kinds.setdefault(kind, []).append(look.shown)
  for (name, bits), shown in kinds.items():
    low = min(extent.minimum for extent in shown)
    high = max(extent.maximum for extent in shown)
    # An image of one value has no range that could be filled.
    varies = any(extent.minimum < extent.maximum for extent in shown)
    if varies and high - low < 255 * _SHARE:
      yield (
        f'The values of all {len(shown):,} images of {bits} bits in {name}'
        f' files lie between {100 * low / 255:.3g}% and'
        f' {100 * high / 255:.3g}% of the range that these bits can hold, so'
        f' that the network sees them as nearly uniform: with'
        f' {_OPTION}=image the values of each image fill its range.'
      )
