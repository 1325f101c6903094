"""What looking at images found is found again without decoding them."""

import dataclasses
import os
import pathlib

import numpy as np
from PIL import Image
import pytest

from heterojax.datasets import inspections
from heterojax.datasets import selection
from heterojax.datasets import sources
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.run import contents
from heterojax.run import environment

_N = 12


@pytest.fixture(name='cohort')
def _cohort(tmp_path: pathlib.Path) -> Cohort:
  """Of twelve; one cannot be decoded, one has 16 bits, one is missing."""
  folder = tmp_path / 'data'
  folder.mkdir()
  rng = np.random.default_rng(0)
  for i in range(_N):
    levels = rng.integers(0, 256, (6, 5), dtype=np.uint8)
    Image.fromarray(levels).save(folder / f'é {i}.png')
  (folder / 'é 1.png').write_bytes(b'no image')
  deep = rng.integers(0, 2**16, (6, 5), dtype=np.uint16)
  Image.fromarray(deep).save(folder / 'é 2.png')
  (folder / 'é 3.png').unlink()
  candidates = [
    Candidate(str(i), f'é {i}.png', 'ill' if i % 2 else 'well', '')
    for i in range(_N)
  ]
  return Cohort(
    'few', sources.Files(folder), ('ill', 'well'), tuple(candidates)
  )


def _select(cohort: Cohort, earlier: Inspections | None, **options) -> Cohort:
  options = {
    'seed': 0,
    'balance': False,
    'distinct': True,
    'max_bad_share': 0.5,
    'workers': 3,
    **options,
  }
  return selection.select(cohort, earlier=earlier, **options)


def _start(cohort: Cohort, folder: pathlib.Path, **options) -> Cohort:
  trusted = options.pop('trusted', False)
  with Inspections(folder, trusted) as earlier:
    return _select(cohort, earlier, **options)


def test_a_second_start_decodes_nothing(
  cohort: Cohort, tmp_path: pathlib.Path, decoded: list[bytes]
) -> None:
  want = _select(cohort, None)
  decoded.clear()
  assert _start(cohort, tmp_path) == want
  assert len(decoded) == _N - 1
  decoded.clear()
  assert _start(cohort, tmp_path) == want
  assert not decoded
  # Other values become 0 and 255, so that the pixels are others.
  assert _start(cohort, tmp_path, levels='image') != want
  assert len(decoded) == _N - 1


def test_a_changed_file_is_found_whatever_its_date(
  cohort: Cohort, tmp_path: pathlib.Path, decoded: list[bytes]
) -> None:
  _start(cohort, tmp_path)
  path = tmp_path / 'data' / 'é 4.png'
  before, other = path.stat(), Image.new('L', (6, 5))
  other.putpixel((0, 0), 77)
  other.save(path)
  data = path.read_bytes()
  path.write_bytes(data + bytes(max(before.st_size - len(data), 0)))
  os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
  decoded.clear()
  again = _start(cohort, tmp_path)
  assert decoded == [path.read_bytes()]
  assert again == _select(cohort, None)
  # The missing one is there, and is looked at.
  (tmp_path / 'data' / 'é 3.png').write_bytes(data)
  decoded.clear()
  again = _start(cohort, tmp_path)
  assert decoded == [data]
  assert again == _select(cohort, None)


def test_damaged_and_torn_lines_cost_their_image(
  cohort: Cohort, tmp_path: pathlib.Path, decoded: list[bytes]
) -> None:
  want = _start(cohort, tmp_path)
  file = tmp_path / contents.INSPECTED
  whole = file.read_bytes()
  for damaged in (
    whole[:-1],  # A newline.
    whole[:-50],
    whole.replace(b'"width", "5"', b'"width", "6"', 1),
    b'\xff' + whole[1:],
    b'[]\n\nnull 0\n' + whole[whole.index(b'\n') + 1 :],
  ):
    file.write_bytes(damaged)
    decoded.clear()
    assert _start(cohort, tmp_path) == want
    assert len(decoded) <= 1
    decoded.clear()
    assert _start(cohort, tmp_path) == want
    assert not decoded


def test_what_was_found_before_an_error_is_kept(
  cohort: Cohort, tmp_path: pathlib.Path, decoded: list[bytes]
) -> None:
  with pytest.raises(ZeroDivisionError):
    with Inspections(tmp_path) as earlier:
      few = dataclasses.replace(cohort, candidates=cohort.candidates[:7])
      _select(few, earlier)
      raise ZeroDivisionError
  decoded.clear()
  assert _start(cohort, tmp_path) == _select(cohort, None)
  assert len(decoded) == (_N - 7) + (_N - 1)


def test_trust_reads_nothing_that_is_known(
  cohort: Cohort, tmp_path: pathlib.Path, decoded: list[bytes]
) -> None:
  want = _start(cohort, tmp_path)
  file = tmp_path / contents.INSPECTED
  before = file.read_bytes()
  for i in range(4, _N):
    (tmp_path / 'data' / f'é {i}.png').write_bytes(b'other')
  decoded.clear()
  assert _start(cohort, tmp_path, trusted=True) == want
  assert not decoded and file.read_bytes() == before


def test_other_decoders_look_again(
  cohort: Cohort,
  tmp_path: pathlib.Path,
  decoded: list[bytes],
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  """As after an update of Pillow: what they would find may differ."""
  want = _start(cohort, tmp_path)
  monkeypatch.setattr(environment, 'versions', lambda _: {'pillow': '0'})
  inspections._about.cache_clear()
  decoded.clear()
  assert _start(cohort, tmp_path) == want
  assert len(decoded) == _N - 1
  inspections._about.cache_clear()


@pytest.mark.parametrize(
  'text',
  [
    '1',
    '[1]',
    '{"a": 1}',
    '[' * 100_000,
    '[[], "p", "d", ["", [], false, null, ""]]',
    '["a", "p", "d", null]',
    '["a", "p", "d", ["", [["x"]], false, null, ""]]',
    '["a", "p", "d", ["", [], false, [1], ""]]',
  ],
)
def test_a_line_of_others_is_none(text: str, tmp_path: pathlib.Path) -> None:
  """Anybody can work out its digest."""
  line = inspections._line(text)
  (tmp_path / contents.INSPECTED).write_text(line)
  with Inspections(tmp_path) as earlier:
    assert not earlier._known
