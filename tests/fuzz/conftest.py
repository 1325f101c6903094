"""Says at the end how many inputs of each kind were tried."""

from collections.abc import Iterator

import pytest

from fuzz import harness


@pytest.fixture(scope='module', autouse=True)
def _stop_workers() -> Iterator[None]:
  yield
  harness.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
  terminalreporter.section('inputs tried')
  rows = {**harness.counts}
  rows['all'] = sum(rows.values(), type(next(iter(rows.values()), {}))())
  for kind, found in rows.items():
    tried, other = sum(found.values()), 0
    other = tried - found['accepted'] - found['refused']
    terminalreporter.write_line(
      f'{kind:24} {tried:7,} tried {found["accepted"]:7,} accepted'
      f' {found["refused"]:7,} refused {other:5,} otherwise'
    )
