"""A study of N features, from their file to its report: time and own memory.

python -m benchmarks.sizes --out=DIR --rows=10000,30000,100000

Each size is a process of its own, watched from outside (Linux alone): CPU
seconds and the most memory of each stage, pages of mapped files not counted,
and how long it was silent. What is measured is added to DIR/sizes.json, which
DIR/sizes.png is drawn from. Features are made up and deleted again: four groups
of patients' images, of which the last has a rule of its own.
"""

from collections.abc import Iterator
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any
import zipfile

from absl import app
from absl import flags
from matplotlib import ticker
from matplotlib.figure import Figure
import numpy as np

from benchmarks import growth
from benchmarks import machine
from benchmarks import sides
from heterojax.report import drawing

_OUT = flags.DEFINE_string('out', None, 'Folder for what is written.')
_ROWS = flags.DEFINE_list('rows', [], 'Sizes; none draws the figure again.')
_WIDTH = flags.DEFINE_integer('width', 1280, 'Features of a row.')
_SCRATCH = flags.DEFINE_string('scratch', None, 'Folder for features and runs.')
_SETTINGS = flags.DEFINE_multi_string('set', [], 'FIELD=VALUE of the study.')

flags.mark_flag_as_required('out')

_GROUPS, _HIDDEN, _BLOCK = 4, 16, 2**24
_SECONDS = 0.1
_PAGE, _TICK = os.sysconf('SC_PAGE_SIZE'), os.sysconf('SC_CLK_TCK')
# 'Clusters ...', as a stage begins.
_BEGINS = re.compile(r'([A-Z][a-z ]+) \.\.\.$')


def _features(path: pathlib.Path, rows: int, width: int) -> None:
  """Writes them block by block: no memory holds a million."""
  numbers = np.random.default_rng(0)
  centers = 4 * numbers.standard_normal((_GROUPS, _HIDDEN))
  loading = numbers.standard_normal((_HIDDEN, width)).astype(np.float32)
  rules = numbers.standard_normal((2, _HIDDEN))
  labels = []
  with zipfile.ZipFile(path, 'w') as archive:
    with archive.open('features.npy', 'w', force_zip64=True) as file:
      header = {'descr': '<f4', 'fortran_order': False, 'shape': (rows, width)}
      np.lib.format.write_array_header_2_0(file, header)
      for start in range(0, rows, step := max(1, _BLOCK // width)):
        n = min(step, rows - start)
        group = numbers.integers(_GROUPS, size=n)
        own = numbers.standard_normal((n, _HIDDEN))
        rule = rules[(group == _GROUPS - 1).astype(int)]
        chance = numbers.logistic(size=n)
        labels.append(np.einsum('ij,ij->i', own, rule) + chance > 0)
        x = (own + centers[group]).astype(np.float32) @ loading
        x += numbers.standard_normal(x.shape, np.float32)
        file.write(x.data)
    arrays = {
      'label': np.where(np.concatenate(labels), 'ill', 'well'),
      'id': np.char.mod('image%08d', np.arange(rows)),
      'group': np.char.mod('patient%08d', np.arange(rows) // 2),
    }
    for name, values in arrays.items():
      with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
        np.lib.format.write_array(file, values)


def _used(process: int) -> tuple[float, int]:
  """CPU seconds of a process so far, and bytes of its own memory."""
  folder = pathlib.Path('/proc') / str(process)
  fields = (folder / 'stat').read_text().rpartition(')')[2].split()
  anonymous = re.search(r'RssAnon:\s+(\d+)', (folder / 'status').read_text())
  assert anonymous is not None
  return (int(fields[11]) + int(fields[12])) / _TICK, 1024 * int(anonymous[1])


class _Watched:
  """A process, and what each of its stages takes."""

  def __init__(self, command: list[str]):
    self._process = subprocess.Popen(
      command, stderr=subprocess.PIPE, text=True, cwd=sides.ROOT
    )
    self._stage = 'start'
    self.stages: dict[str, dict[str, float]] = {}
    self._spoke = time.perf_counter()

  def run(self) -> None:
    """Until it ends.

    Raises:
      RuntimeError: if it does so otherwise than by finishing its work.
    """
    reader = threading.Thread(target=self._read)
    reader.start()
    wall, cpu = time.perf_counter(), 0.0
    while self._process.poll() is None:
      stage, now = self._stage, time.perf_counter()
      try:
        total, memory = _used(self._process.pid)
      except (OSError, AssertionError):  # It is ending.
        break
      found = self.stages.setdefault(
        stage, dict.fromkeys(('wall', 'cpu', 'memory', 'silent'), 0.0)
      )
      found['wall'] += now - wall
      found['cpu'] += total - cpu
      found['memory'] = max(found['memory'], memory)
      found['silent'] = max(found['silent'], now - self._spoke)
      wall, cpu = now, total
      time.sleep(_SECONDS)
    reader.join()
    if self._process.wait():
      raise RuntimeError(
        f'it ended with {self._process.returncode} after {self.stages}'
      )

  def _read(self) -> None:
    assert self._process.stderr is not None
    for line in self._process.stderr:
      self._spoke = time.perf_counter()
      sys.stderr.write(line)
      if begins := _BEGINS.search(line.strip()):
        self._stage = begins[1].lower()


def _measured(rows: int, width: int, settings: list[str]) -> dict[str, Any]:
  """One size."""
  with tempfile.TemporaryDirectory(dir=_SCRATCH.value) as name:
    folder = pathlib.Path(name)
    file, run = folder / 'features.npz', folder / 'run'
    _features(file, rows, width)
    watched = _Watched([
      *(sys.executable, '-m', 'launch.study', '--config=configs/features.py'),
      *(f'--config.data.dir={file}', f'--workdir={run}'),
      *('--config.data.positive=ill', '--config.data.negative=well'),
      *(f'--config.{setting}' for setting in settings),
    ])
    watched.run()
    results = json.loads((run / 'results.json').read_text())
    file.unlink()
    shutil.rmtree(run / 'features', ignore_errors=True)
    written = sum(p.stat().st_size for p in run.rglob('*') if p.is_file())
    return {
      'rows': rows,
      'width': width,
      'settings': settings,
      'stages': watched.stages,
      'report': (run / 'report.html').stat().st_size,
      'written': written,
      'auc': results['overall'].get('auc'),
      'machine': machine.describe(),
    }


def _series(
  records: list[dict[str, Any]],
) -> Iterator[tuple[str, list[int], list[float], list[float]]]:
  """Each stage: its name, sizes, CPU seconds and bytes."""
  for stage in records[-1]['stages']:
    known = [r for r in records if stage in r['stages']]
    if len(known) < min(2, len(records)):
      continue
    yield (
      stage,
      [r['rows'] for r in known],
      [r['stages'][stage]['cpu'] for r in known],
      [r['stages'][stage]['memory'] for r in known],
    )


def _drawn(records: list[dict[str, Any]]) -> Figure:
  """CPU seconds and own memory of each stage against the rows."""
  figure = Figure((drawing.WIDTH, 4.0), layout='constrained')
  seconds, memory = figure.subplots(1, 2)
  for i, (stage, sizes, cpu, held) in enumerate(_series(records)):
    style = {'color': drawing.colour(i), 'markersize': 3}
    text = stage
    if len(sizes) > 1:
      text += f' ({growth.exponent(sizes, cpu):.2f})'
    seconds.plot(sizes, cpu, 'o-', label=text, **style)
    memory.plot(sizes, np.array(held) / 1e9, 'o-', **style)
  seconds.set_ylabel('CPU seconds')
  seconds.set_yscale('log')
  seconds.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  seconds.yaxis.set_major_formatter('{x:g}')
  memory.set_ylabel('GB of own memory')
  sizes = sorted({r['rows'] for r in records})
  for axes in (seconds, memory):
    axes.set_xscale('log')
    axes.set_xticks(sizes, [f'{size:,}' for size in sizes])
    axes.set_xlabel('images')
    axes.minorticks_off()
  figure.legend(loc='outside lower center', ncols=4, title='stage (exponent)')
  return figure


def main(argv: list[str]) -> None:
  del argv
  assert _OUT.value
  folder = pathlib.Path(_OUT.value)
  for made in filter(None, (_OUT.value, _SCRATCH.value)):
    pathlib.Path(made).mkdir(parents=True, exist_ok=True)
  path = folder / 'sizes.json'
  records = json.loads(path.read_text()) if path.exists() else []
  for rows in map(int, _ROWS.value):
    records.append(_measured(rows, _WIDTH.value, _SETTINGS.value))
    path.write_text(json.dumps(records, indent=1) + '\n')
    print(rows, records[-1]['stages'], flush=True)
  # Of a size that was run again, the last.
  last = {r['rows']: r for r in records if r['width'] == _WIDTH.value}
  widest = [last[rows] for rows in sorted(last)]
  with drawing.style():
    figure = drawing.encoded(_drawn(widest), 'png')
  (folder / 'sizes.png').write_bytes(figure)


if __name__ == '__main__':
  app.run(main)
