"""Signals stop a run where it can be left, and are not lost."""

import os
import signal

import numpy as np
import pytest

from heterojax.errors import Interrupted
from heterojax.heads import logistic
from heterojax.run import interruption
from heterojax.run.progress import Progress


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_waits_for_a_good_moment(number: int) -> None:
  with interruption.handled():
    os.kill(os.getpid(), number)
    # Still here: even where a callback would swallow an exception.
    with Progress('work', 2, 'units') as progress:
      with pytest.raises(Interrupted, match=signal.Signals(number).name):
        progress.update(1)


def test_the_second_signal_stops_at_once() -> None:
  with interruption.handled():
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
      os.kill(os.getpid(), signal.SIGTERM)


def test_heads_at_their_optimum_stop_between_two_batches() -> None:
  # The questions of the answer fit thousands of them without a step of work.
  x, y = np.arange(8.0)[:, np.newaxis], np.arange(8) % 2
  with interruption.handled():
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(Interrupted, match='SIGINT'):
      logistic.fit(x, y, [np.arange(8)])


def test_handlers_are_put_back_and_notes_forgotten() -> None:
  before = signal.getsignal(signal.SIGTERM)
  with interruption.handled():
    assert signal.getsignal(signal.SIGTERM) is not before
    os.kill(os.getpid(), signal.SIGTERM)
  assert signal.getsignal(signal.SIGTERM) is before
  with interruption.handled():
    interruption.check()
