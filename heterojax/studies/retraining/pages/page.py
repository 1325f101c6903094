"""What stands in `report.html`, from top to bottom."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from heterojax.records import codec
from heterojax.report import blocks
from heterojax.report import formatting
from heterojax.report.blocks import Block
from heterojax.report.blocks import Column
from heterojax.report.blocks import Figure
from heterojax.report.blocks import Folded
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.studies import choosing
from heterojax.studies.pages import checklists
from heterojax.studies.pages import common
from heterojax.studies.pages import glossary
from heterojax.studies.pages import leaks
from heterojax.studies.pages import network as network_words
from heterojax.studies.pages import scores
from heterojax.studies.pages import shortcuts
from heterojax.studies.pages import verdict
from heterojax.studies.pages.common import Rows
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.pages.shortcuts import Audit
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages import external
from heterojax.studies.retraining.pages import methods
from heterojax.studies.retraining.pages import published_counts
from heterojax.studies.retraining.pages import sections
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.pages import wording
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View


def page(
  results: Results, view: View, rows: Rows, config: Mapping[str, Any]
) -> blocks.Page:
  """The page.

  Args:
    results: of the study.
    view: of the study.
    rows: of `manifest.csv`; none where it is not there.
    config: the resolved configuration; {} if it is not known.

  Returns:
    What stands in it.
  """
  d = results.dataset
  title = f'Heterogeneity of {d.name}: {scores.against(results.classes)}'
  shared, audit = shared_of(results), audit_of(results, view, rows)
  parts = [
    _found(results, shared, audit),
    sections.overall(results, shared),
    sections.retrained(results),
    *published_counts.sections(results),
    sections.distances(results),
    sections.transfer(results),
    sections.pairs(results),
    *external.sections(results),
    *sections.looks(results, view),
    _data(results, shared, audit, rows),
    common.how(
      methods.settings(results, shared, config),
      deviations.not_in_the_paper(results, config),
      methods.paragraph(results, shared, config),
      methods.CITATION,
      methods.BIBTEX,
    ),
    common.limits(
      results.backbone.unit,
      _limits(results),
      peeks=not (d.n_validation or results.heads),
      groups=not choosing.clusters(results.cluster.method),
    ),
    common.environment(results.environment, results.timings),
  ]
  unit = results.backbone.unit
  parts = verdict.first(results.verdict, unit, parts)
  parts += [
    glossary.section(_words(results), unit),
    checklists.section(parts),
  ]
  question = (
    'Is this data set heterogeneous in a way that changes what a CNN learns'
    ' from it?'
  )
  return blocks.Page(title, question, _facts(results), parts)


def _words(results: Results) -> list[str]:
  """What the glossary explains."""
  words = ['accuracy', 'AUC', 'centroid', 'class mix', 'cluster']
  words += ['fold'] if results.folds else []
  words += ['head', 'interval', 'Jaccard similarity', 'p-value', 'random heads']
  if len(results.classes.names) == 2:
    words += ['sensitivity', 'specificity']
  return [*words, 'world of one rule']


def shared_of(results: Results) -> Shared:
  """Its leaks with what they are said of."""
  d = results.dataset
  return Shared(
    leaks=results.leaks,
    classes=results.classes.names,
    n_test=d.n_test,
    validates=bool(d.n_validation),
    protocol=results.protocol,
    unit=results.backbone.unit,
    folds=results.split.folds,
    stops_early=not results.heads,
  )


def audit_of(results: Results, view: View, rows: Rows) -> Audit:
  """Its audited columns, and their values in each cluster."""
  folds = results.folds
  overall = folds[0].overall if folds else results.overall
  audit = Audit(
    results.shortcuts,
    results.classes.names,
    results.backbone.unit,
    overall.value(overall.ranking),
    bool(folds),
    {},
  )
  return audit.with_cells(
    rows, view.audited, view.audited_labels, [c.id for c in results.clusters]
  )


def _facts(results: Results) -> list[tuple[str, Text]]:
  d, network, folds = results.dataset, results.backbone, results.split.folds
  mean = ', mean' if folds else ''
  training: Text = formatting.number(d.n_train)
  if results.copies:
    copies = f'({formatting.number(d.n_train_augmented)} with copies)'
    training = Markup('{} {}').format(training, blocks.quiet(copies))
  facts = [(f'training {network.unit}s{mean}', training)]
  if d.n_validation:
    number = formatting.number(d.n_validation)
    facts.append((f'validation {network.unit}s{mean}', number))
  tested = f', {folds} folds' if folds else ''
  facts += [
    (f'test {network.unit}s{tested}', formatting.number(d.n_test)),
    ('clusters', str(len(results.clusters))),
  ]
  if network.given:
    dim = formatting.number(network.dim)
    facts.append(('features', f'given, {dim} numbers'))
  else:
    name = network_words.title(network)
    facts.append(('network', f'{name}, {network.train}'))
  return [*facts, ('protocol', results.protocol)]


def _found(results: Results, shared: Shared, audit: Audit) -> Section:
  network, folds = results.backbone, results.split.folds
  one, classes = network.unit, results.classes
  trained_on = 'given features' if network.given else f'{network.train} network'
  fair = ''
  if results.fair_sets:
    fair = (
      f' (as many distinct {one}s, from as many patients where these are known)'
    )
  head = Markup(
    'A <i>head</i> is the small classifier that is trained on top of the {},'
    ' here on all training {one}s, on those of one cluster, or on equally many'
    ' random ones{fair}.'
  ).format(trained_on, one=one, fair=fair)
  squares = ''
  if results.fair_sets:
    squares = (
      ' Where its diamond lies among the circles, it does; among the squares,'
      ' which are random heads of the same class mix, only its class mix'
      ' differs.'
    )
  caption = (
    f'Does a cluster teach the same as equally many random {one}s?{squares}'
    ' Every head is scored on the whole test set'
    f'{scores.threshold(classes)}{", out of fold" if folds else ""}. n ='
    f' training {one}s of a cluster{" (mean over folds)" if folds else ""},'
    f' {" + ".join(classes.names)}'
    f'{", copies included" if results.copies else ""}.'
  )
  if results.paper:
    caption += (
      ' Hollow: what Wang (2023) reports, whose cluster numbers have nothing to'
      ' do with ours and who gives only the mean of the random runs.'
    )
  names = formatting.capital(scores.names(classes.task))
  return Section(
    'What was found',
    [
      Paragraph(head, 'quiet'),
      *([Items(results.findings, 'findings')] if results.findings else []),
      *leaks.warning(shared),
      *shortcuts.warning(audit),
      *external.link(results),
      Figure(
        'table3_retrained_vs_random',
        f'{names} of each cluster’s retrained head beside the heads trained on'
        f' random {one}s; the numbers are in'
        f' {sections.printed_in(results, "clusters")}.',
        caption,
      ),
      Paragraph(wording.class_mix(results)),
    ],
  )


def _data(
  results: Results, shared: Shared, audit: Audit, rows: Rows
) -> Section:
  text = methods.protocol(results, shared)
  if rows:
    text = f'{text} {leaks.patients(shared, rows)}'.rstrip()
  counts: list[Block] = [_parts(results)]
  if results.folds:
    counts += [
      Folded(
        'Folds',
        [Paragraph(wording.folds_agree(results)), tables.folds(results)],
      ),
    ]
  d, unit = results.dataset, results.backbone.unit
  more = [
    *common.left_out(rows, results.classes.names, unit),
    *leaks.blocks(shared),
    *shortcuts.blocks(audit),
  ]
  return common.data(text, d.notes, counts, more)


def _parts(results: Results) -> Table[str]:
  """How many images of each class every part has."""
  d, paper, folds = results.dataset, results.paper, results.split.folds
  names = {
    'train': 'Training',
    'train_augmented': 'Training with augmented copies',
    'test': 'Test',
    'validation': 'Validation',
  }
  if not results.copies:
    del names['train_augmented']
  if not d.n_validation:
    del names['validation']

  def name(part: str) -> str:
    over = ', all folds' if part == 'test' else ', mean over folds'
    return names[part] + (over if folds else '')

  def published(part: str) -> Text:
    if paper is None or part not in paper.dataset.parts:
      return blocks.quiet('none')
    return formatting.number(paper.dataset.parts[part].n)

  columns: list[Column[str]] = [
    Column(
      '',
      name,
      formatting.capital(f'{results.backbone.unit}s'),
      align='text',
    ),
    *(
      Column('', lambda part, c=c: d.parts[part].class_counts[c], c)
      for c in results.classes.names
    ),
    Column('', lambda part: d.parts[part].n, 'All'),
  ]
  if paper:
    columns.append(Column('', lambda part: None, 'Published', published))
  return Table('', columns, list(names))


def _limits(results: Results) -> Sequence[Text]:
  one, n_test = results.backbone.unit, results.dataset.n_test
  return [
    *_why_heads_fail(results),
    f'A metric over few {one}s is rough: one {one} of'
    f' {formatting.number(n_test)} is {formatting.percent(1 / n_test, 2)}.',
  ]


def _why_heads_fail(results: Results) -> list[str]:
  """What the gaps tell apart, or that nothing does."""
  one, found = results.backbone.unit, results.verdict
  if found and any(
    codec.known(gap.gap) is not None for gap in found.decomposition
  ):
    return [
      'The four terms of a gap are means over heads; what they call another'
      ' rule is a rest, and only the test says whether it is more than chance.'
    ]
  apart = 'without the terms of its gap this report does not tell these apart'
  if results.fair_sets:
    apart = (
      'random heads of the same class mix show what the class mix does, and'
      ' without the terms of the gap nothing here tells the others apart'
    )
  return [
    f'A cluster’s head may fail because its {one}s look different, because one'
    f' class is nearly missing, or because of chance; {apart}.'
  ]
