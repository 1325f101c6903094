"""The answer as the first section of a report, its figure and its files."""

import csv
import dataclasses
import io
import pathlib

import answers
from matplotlib.figure import Figure
import numpy as np
import pytest
import retraining_results
import snapshots

from heterojax.records.codec import Missing
from heterojax.report import blocks
from heterojax.report import drawing
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.studies.answer import answer
from heterojax.studies.answer import conditions
from heterojax.studies.answer.records import Verdict
from heterojax.studies.pages import verdict as pages
from heterojax.studies.pages import waterfall
from heterojax.studies.retraining import pages as retraining

OTHERS = [
  Section('Table 1. The head of all images', []),
  Section('Data', [Heading('What test and training share', 'leaks')]),
  Section('Limits', [], 'limits'),
]
HEADINGS = {
  conditions.SKILL: 'The head of all images',
  conditions.PATIENTS: 'What test and training share',
}


def _found(k: int = 3) -> Verdict:
  facts = answers.facts(k)._replace(headings=HEADINGS)
  return answer.verdict(answers.found_in_first(k), facts)


def _rows(table: Table) -> list[dict[str, str]]:
  return list(csv.DictReader(io.StringIO(table.csv())))


def test_what_the_section_says() -> None:
  answer, _, tests, *_ = pages.first(_found(), 'image', OTHERS)
  page = blocks.Page('', '', (), [answer, tests])
  text = blocks.html(page, snapshots.NoFigures())
  snapshots.check('verdict', snapshots.words(text))
  # No colour is needed, and conditions lead to their sections.
  for sign in ('✓ pass', '! warn'):
    assert sign in text
  assert 'href="#table-1-the-head-of-all-images"' in text
  assert 'href="#leaks"' in text


def test_effects_of_a_regression_are_squared_errors() -> None:
  """They are no share, so percentage points of them would be made up."""
  found = _found()
  clusters = tuple(
    dataclasses.replace(c, effect=effect, interval=(-3149.7, 0.25))
    for c, effect in zip(found.uneven.clusters, (-1112.71, 417.48, 0.0))
  )
  uneven = dataclasses.replace(found.uneven, clusters=clusters)
  found = dataclasses.replace(found, uneven=uneven)
  texts = []
  for numbers in (True, False):
    tests = pages.first(found, 'image', OTHERS, numbers=numbers)[2]
    page = blocks.Page('', '', (), [tests])
    texts.append(snapshots.words(blocks.html(page, snapshots.NoFigures())))
  of_numbers, of_classes = texts
  for effect in ('−1,113', '417.5', '0'):
    assert f'{effect} of squared error' in of_numbers
  assert '−3,150 to 0.25' in of_numbers and 'mean squared error' in of_numbers
  assert 'points of errors' not in of_numbers
  assert '41748.0 points of errors' in of_classes


def test_the_answer_is_first_and_others_have_anchors() -> None:
  first, *others = pages.first(_found(), 'image', OTHERS)
  assert first.title == 'Yes: in cluster 0 another rule holds.'
  assert [s.id for s in others] == [
    'table-1-the-head-of-all-images',
    'the-three-questions',
    'data',
    'limits',
  ]
  # Results of an earlier release have none.
  assert pages.first(None, 'image', OTHERS) == OTHERS
  assert pages.tables(None) == [] and waterfall.files(None) == {}


def test_the_files() -> None:
  found = _found()
  asked, rests, gaps = map(_rows, pages.tables(found))
  assert len(asked) == 3 * (1 + 3) and len(gaps) == 3
  assert [row['state'] for row in rests] == [c.state for c in found.conditions]
  of = {(row['question'], row['cluster']): row for row in asked}
  assert of['one_rule', '']['adjusted'] == '0.015'
  assert of['one_rule', '0']['effect'] == '0.12'
  assert of['one_rule', '2']['effect'] == ''
  assert '2 test images of a class' in of['one_rule', '2']['reason']
  assert of['teaches_less', '1']['given_one_rule'] == '0.01'
  for row, gap in zip(gaps, found.decomposition, strict=True):
    terms = [float(row[name]) for name in waterfall.TERMS]
    assert sum(terms) == pytest.approx(gap.gap)


def _bars(figure: Figure) -> list[list[tuple[float, float]]]:
  return [
    [(p.get_x(), p.get_width()) for p in axes.patches] for axes in figure.axes
  ]


@pytest.mark.parametrize('k', [2, 5])
def test_a_bar_begins_where_the_one_above_ends(k: int) -> None:
  found = _found(k)
  with drawing.style():
    panels = _bars(waterfall.draw(found))[:k]
  for bars, gap in zip(panels, found.decomposition, strict=True):
    starts, widths = np.array(bars).T
    np.testing.assert_allclose(starts[:4], np.cumsum([0, *widths[:3]]))
    assert starts[4] == 0 and widths[4] == pytest.approx(100 * gap.gap)


def test_clusters_without_terms_are_not_drawn() -> None:
  found = _found()
  none = Missing('it has no head')
  lacks = dataclasses.replace(found.decomposition[0], gap=none)
  found = dataclasses.replace(
    found, decomposition=(lacks, *found.decomposition[1:])
  )
  assert [c for c, _ in waterfall.known(found)] == [1, 2]
  many = dataclasses.replace(found, decomposition=found.decomposition[1:] * 20)
  assert len(waterfall.known(many)) == waterfall.MOST


@pytest.mark.slow
def test_a_report_with_an_answer(tmp_path: pathlib.Path) -> None:
  results, view = retraining_results.study(tmp_path, 2)
  assert results.verdict and results.verdict.answer == 'cannot be answered'
  found = dataclasses.replace(results, verdict=_found(2))
  retraining.write(tmp_path, found, view)
  text = (tmp_path / 'report.html').read_text()
  assert text.index('another rule holds.</h2>') < text.index('found</h2>')
  for name in ('verdict.csv', 'verdict_clusters.csv', 'conditions.csv'):
    assert (tmp_path / 'tables' / name).is_file()
  assert (tmp_path / 'figures' / 'waterfall.svg').is_file()
