"""Says at the end what was survived."""

import collections

import pytest

# Of what was injected where, to how often.
COUNTS: collections.Counter[tuple[str, str]] = collections.Counter()


@pytest.fixture
def survived() -> collections.Counter[tuple[str, str]]:
  return COUNTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
  terminalreporter.section('faults survived')
  for (what, where), count in sorted(COUNTS.items()):
    terminalreporter.write_line(f'{count:5} {what} {where}')
