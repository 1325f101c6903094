"""`results.json` of the toy study. Lengths: K halves."""

import dataclasses
from typing import Annotated

from heterojax.records.codec import Estimate
from heterojax.studies import records


@dataclasses.dataclass(frozen=True)
class Half:
  """Training images by the length of their features."""

  size: int
  positive_share: Estimate


@dataclasses.dataclass(frozen=True)
class Results:
  """`results.json` of the toy study."""

  schema_version: int
  study: str
  seed: int
  backbone: records.Network
  halves: Annotated[tuple[Half, ...], 'K']
  timings: records.Timings
  environment: records.Environment
