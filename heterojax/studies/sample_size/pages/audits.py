"""Leaks and shortcuts of the largest size; nothing in results without them."""

from heterojax.report.blocks import Block
from heterojax.report.blocks import Table
from heterojax.studies.pages import leaks
from heterojax.studies.pages import shortcuts
from heterojax.studies.pages.common import Rows
from heterojax.studies.pages.leaks import Shared
from heterojax.studies.pages.shortcuts import Audit
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.view import View


def shared(results: Results) -> Shared | None:
  """What all folds share with their training images."""
  if results.leaks is None:
    return None
  folds = results.largest.folds
  return Shared(
    leaks=results.leaks,
    classes=results.classes.names,
    n_test=sum(fold.n_test for fold in folds),
    validates=results.validated,
    protocol=results.protocol,
    unit=results.unit,
    folds=results.split.folds,
    stops_early=not results.heads,
  )


def audit(results: Results, view: View, rows: Rows) -> Audit | None:
  """The columns of the first fold, and their values in each cluster."""
  if results.shortcuts is None:
    return None
  columns = Audit(
    results.shortcuts,
    results.classes.names,
    results.unit,
    results.largest.folds[0].scores.value('auc'),
    results.split.folds > 0,
    {},
  )
  return columns.with_cells(
    rows, view.audited, view.audited_labels, range(results.cluster.k)
  )


def warnings(results: Results, view: View, rows: Rows) -> list[Block]:
  """What stands at the head of the page."""
  images, columns = shared(results), audit(results, view, rows)
  return [
    *(leaks.warning(images) if images else ()),
    *(shortcuts.warning(columns) if columns else ()),
  ]


def blocks(results: Results, view: View, rows: Rows) -> list[Block]:
  """All about leaks and shortcuts."""
  images, columns = shared(results), audit(results, view, rows)
  return [
    *(leaks.blocks(images) if images else ()),
    *(shortcuts.blocks(columns) if columns else ()),
  ]


def tables(results: Results) -> list[Table]:
  """The tables that have a file."""
  if results.shortcuts is None:
    return []
  return [shortcuts.table(results.shortcuts, results.unit)]
