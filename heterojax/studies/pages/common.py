"""The parts that the page of every study has."""

from collections.abc import Iterable, Mapping, Sequence
import pathlib
from typing import Any

from markupsafe import Markup

from heterojax.datasets import manifest as manifest_lib
from heterojax.datasets import selection
from heterojax.records import codec
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Pairs
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Quoted
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.run import run_folder
from heterojax.studies import reading
from heterojax.studies.pages import checklists
from heterojax.studies.records import Environment
from heterojax.studies.records import Timings

_STAGES = {
  'data': 'Data: reading, selecting and splitting',
  'features': 'Features',
  'ceiling': 'Matrix products, as a ceiling of speed',
  'training': 'Training of all networks',
  'clusters': 'Reduction and clusters',
  'heads': 'Training of all heads',
  'verdict': 'Questions of the answer',
}
_RATE = '_per_second'
Rows = Iterable[dict[str, str]]


def config(folder: pathlib.Path) -> dict[str, Any]:
  """`config.json` of a run folder; {} without one."""
  path = folder / 'config.json'
  return reading.load(path) if path.exists() else {}


def made(folder: pathlib.Path, seed: int, described: Environment) -> Text:
  """When a run was begun, with what, and by which command.

  Args:
    folder: of the run; what it does not hold is not said.
    seed: of the run.
    described: its environment.
  """
  text = Markup('heterojax {}, seed {}').format(described['heterojax'], seed)
  begun = run_folder.begun(folder)
  if begun is None:
    return text
  date = begun['date'][:16].replace('T', ' ')
  text = Markup('Begun {} UTC with {}').format(date, text)
  if begun['command']:
    text += Markup(': <code>{}</code>').format(begun['command'])
  return text


def manifest(folder: pathlib.Path) -> Rows:
  """Rows of `manifest.csv` of a run folder; none without one."""
  path = folder / 'manifest.csv'
  if not path.exists():
    return []
  return manifest_lib.Rows(path, *manifest_lib.COLUMNS)


def left_out(rows: Rows, labels: Sequence[str], unit: str) -> list[Block]:
  """Which candidates are not used, and why.

  Args:
    rows: of `manifest.csv`.
    labels: the classes; none for a regression.
    unit: what one of them is called.

  Returns:
    A heading and what stands below it; nothing without a manifest.
  """
  if not rows:
    return []
  heading = Heading('What was left out')
  counts, included = reasons(rows, labels)
  number = included + sum(sum(of_class) for _, of_class in counts)
  every, used = formatting.number(number), formatting.number(included)
  if not counts:
    text = f'Nothing: all {every} candidate {unit}s are used.'
    return [heading, Paragraph(text)]
  heads = [*labels, 'other label' if labels else f'{unit}s']
  columns: list[Column[tuple[str, list[int]]]] = [
    Column('', lambda row: row[0], 'Reason', align='text'),
    *(
      Column('', lambda row, i=i: row[1][i], head)
      for i, head in enumerate(heads)
    ),
  ]
  text = Markup(
    '{} of {} candidate {}s are used; <code>manifest.csv</code> names every one'
    ' that is not.'
  ).format(used, every, unit)
  blocks: list[Block] = [heading, Paragraph(text), Table('', columns, counts)]
  if labels and any(reason == 'not drawn' for reason, _ in counts):
    of = 'the larger class has', 'the other'
    if len(labels) > 2:
      of = 'larger classes have', 'the smallest'
    note = (
      f'“Not drawn”: {of[0]} more {unit}s than are needed to match {of[1]}.'
    )
    blocks.append(Paragraph(note, 'quiet'))
  return blocks


def reasons(
  rows: Rows, labels: Sequence[str]
) -> tuple[list[tuple[str, list[int]]], int]:
  """Reasons, and how many candidates of each class and of none they left out.

  Args:
    rows: of `manifest.csv`.
    labels: the classes; none for a regression.

  Returns:
    The most frequent reason first; and how many candidates are used.
  """
  counts: dict[str, list[int]] = {}
  included = 0
  for row in rows:
    if row['included'] == 'true':
      included += 1
      continue
    reason = selection.general(row['reason'])
    # The last column is for labels of no class.
    of_class = counts.setdefault(reason, [0] * (len(labels) + 1))
    is_class = row['label'] in labels
    of_class[labels.index(row['label']) if is_class else -1] += 1
  return sorted(counts.items(), key=lambda item: -sum(item[1])), included


def data(
  text: str,
  notes: Sequence[str],
  counts: Sequence[Block],
  more: Sequence[Block],
) -> Section:
  """Which data there are, and how far they can be trusted.

  Args:
    text: how they were split.
    notes: of the data set.
    counts: how many there are.
    more: what was left out, and the audits.

  Returns:
    The section.
  """
  noted = [Items(notes)] if notes else []
  shown = [Paragraph(text), *noted, *counts, *more]
  return Section('Data', shown, asked=checklists.DATA)


def how(
  settings: Sequence[tuple[str, str]],
  deviations: Sequence[tuple[str, str]],
  paragraph: str,
  citation: str,
  bibtex: str,
) -> Section:
  """How a run was done: settings, what is not the paper's, text to paste.

  Args:
    settings: name and text of each.
    deviations: mark and statement of each.
    paragraph: of a methods section.
    citation: of the paper.
    bibtex: its entry.

  Returns:
    The section.
  """
  marked = [
    Markup('{} <span class="mark">{}</span>').format(text, mark)
    for mark, text in deviations
  ]
  return Section(
    'How it was done',
    [
      Pairs(settings),
      Heading('What is not in the paper'),
      Items(marked),
      Heading('Methods paragraph'),
      Paragraph(paragraph, 'paste'),
      Paragraph(citation),
      Quoted(bibtex),
    ],
    folded=True,
    asked=checklists.METHODS,
  )


def limits(
  unit: str, more: Sequence[Text], *, peeks: bool, groups: bool = False
) -> Section:
  """What a reader must not conclude.

  Args:
    unit: what one sample is called.
    more: of this study.
    peeks: whether early stopping looked at the test set.
    groups: whether groups that are known took the place of clusters.

  Returns:
    The section.
  """
  items: list[Text] = [
    'Clusters are made by an algorithm that always finds as many as it is asked'
    ' for; that there are clusters says nothing about the data set.',
    'Clusters are of what this network sees. Another network, seed, number of'
    f' clusters or of components may group the {unit}s otherwise.',
  ]
  if groups:
    items = [
      'Groups are those that were named: what makes them differ may be'
      ' something else that goes with them.'
    ]
  items += more
  if peeks:
    items.append(
      f'Early stopping looked at the test {unit}s, so that the epoch kept is'
      ' the one that suits them: the metrics are somewhat too high.'
    )
  items.append(
    'This is a research tool for describing data sets. It is not a medical'
    ' device, and nothing here may be used to diagnose or treat anyone.'
  )
  return Section('Limits', [Items(items)], asked=checklists.LIMITS)


def environment(described: Environment, timings: Timings) -> Section:
  """What a run was done with, and how long each stage took."""
  stages = Table(
    '',
    [
      Column('', lambda row: row[0], 'Stage', align='text'),
      Column('', lambda row: row[1], 'Time'),
      Column('', lambda row: row[2], 'Rate', align='text'),
    ],
    [
      (_STAGES.get(stage, formatting.capital(stage)), *_time(values))
      for stage, values in timings.items()
    ],
  )
  files = Markup(
    'The numbers behind every figure and table: <code>results.json</code>,'
    ' <code>tables/</code>, <code>clusters.csv</code>,'
    ' <code>manifest.csv</code>; the figures: <code>figures/</code>.'
  )
  return Section(
    'Environment and time',
    [Pairs(flat(described)), stages, Paragraph(files, 'quiet')],
    folded=True,
    asked=checklists.ENVIRONMENT,
  )


def flat(tree: Mapping[str, Any]) -> list[tuple[str, str]]:
  """Names and values of a description as text, one level deep."""
  rows = []
  for key, value in tree.items():
    if isinstance(value, Mapping):
      value = ', '.join(f'{name} {version}' for name, version in value.items())
    rows.append((key.replace('_', ' '), str(value)))
  return rows


def _time(values: Mapping[str, codec.Estimate]) -> tuple[str, str]:
  """Seconds and rates of a stage as text."""
  known = {name: codec.known(value) for name, value in values.items()}
  rates = [
    _rate(name.removesuffix(_RATE), value)
    for name, value in known.items()
    if name.endswith(_RATE) and value is not None
  ]
  if (share := known.get('model_flop_utilisation')) is not None:
    rates.append(
      f'{formatting.percent(share)} of the ceiling (model FLOP utilisation)'
    )
  return f'{known["seconds"]:.1f} s', ', '.join(rates)


def _rate(name: str, value: float) -> str:
  if name.endswith('_flops'):
    dtype = name.removesuffix('_flops')
    return f'{value / 1e9:,.0f} GFLOP a second in {dtype}'
  return f'{value:.1f} {name} a second'
