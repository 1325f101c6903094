"""What needs no head is found beside the heads, where that may be."""

import threading
from typing import Any

import numpy as np
import pytest

from heterojax.configs import common
from heterojax.errors import UserError
from heterojax.studies import registry
from heterojax.studies.retraining import beside

_SECONDS = 60  # In which a thread surely runs.


def _begun(kind: str, x: Any) -> Any:
  config = common.study('retraining', 'clean', 'avg')
  config.heads.kind = kind
  settings = registry.settings(config.to_dict())
  return beside.begun(settings, (), (), x, ())


def test_keras_heads_have_it_beside_them(monkeypatch) -> None:
  trained = threading.Event()

  def find(*_: object) -> tuple[bool, bool]:
    return trained.wait(_SECONDS), threading.current_thread() is main

  main = threading.current_thread()
  monkeypatch.setattr(beside, '_find', find)
  with _begun('keras', np.zeros((4, 2))) as wait:
    trained.set()
    assert wait() == (True, False)


@pytest.mark.parametrize(
  ('kind', 'shape'), [('logistic', (4, 2)), ('keras', (2**20, 2**10))]
)
def test_others_before_it(monkeypatch, kind: str, shape: Any) -> None:
  """Where LAPACK's threads are one core's, or features are many."""
  monkeypatch.setattr(
    beside, '_find', lambda *_: threading.current_thread() is main
  )
  main = threading.current_thread()
  with _begun(kind, np.broadcast_to(np.float32(0), shape)) as wait:
    assert wait()


def test_what_fails_beside_is_told_where_it_is_waited_for(monkeypatch) -> None:
  def find(*_: object) -> None:
    raise UserError('this')

  monkeypatch.setattr(beside, '_find', find)
  with _begun('keras', np.zeros((4, 2))) as wait, pytest.raises(UserError):
    wait()
