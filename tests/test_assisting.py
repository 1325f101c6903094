"""What a process does that another one leads."""

import concurrent.futures
import dataclasses
import json
import pathlib
import socket
from typing import Any

import numpy as np
import pytest

from heterojax import backbones
from heterojax import features
from heterojax.compute import collectives
from heterojax.configs import demo
from heterojax.datasets import sources
from heterojax.datasets.augmentation import Transform
from heterojax.errors import UserError
from heterojax.features import Extraction
from heterojax.features import Picture
from heterojax.features import exchange
from heterojax.heads import ensemble
from heterojax.heads.epochs import Training
from heterojax.run import peers
from heterojax.run import processes
from heterojax.studies import assisting
from heterojax.studies import registry


def test_jobs_are_done_until_the_leader_ends(monkeypatch, demo_config):
  server = socket.create_server(('127.0.0.1', 0))
  address = peers.Address(*server.getsockname(), 'token')
  follower = peers.Follower(address, 1, 2)
  leader = peers.Leader(server, 'token', 2)
  monkeypatch.setattr(processes, '_others', [follower])
  # Of one process alone all numbers that others would send are zero.
  arrays = [
    np.zeros((12, 3), np.float32),
    np.zeros(12, int),
    np.zeros(9, int),
    np.zeros(5, int),
    np.zeros((2, 2), np.uint32),
    np.zeros((2, 2), np.uint32),
  ]
  training = Training(epochs=2, patience=1, batch_size=4, learning_rate=0.1)
  leader.tell({
    'job': 'heads',
    'words': {
      'training': dataclasses.asdict(training),
      'lengths': [[4, 5], [2, 3]],
    },
    'arrays': [(leaf.shape, leaf.dtype.str) for leaf in arrays],
  })
  train, trained = ensemble.train, []

  def then_end(*args: Any, **kwargs: Any) -> ensemble.Ensemble:
    trained.append(train(*args, **kwargs))
    leaving.append(pool.submit(leader.leave, 3))
    return trained[0]

  monkeypatch.setattr(ensemble, 'train', then_end)
  leaving: list[concurrent.futures.Future[None]] = []
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    assert assisting.assist(demo_config, download=False) == 3
    follower.leave(3)
    leaving[0].result()
  assert trained[0].epochs.tolist() == [2, 2]


def test_blocks_of_a_process_alone_are_all_blocks():
  blocks = [slice(0, 4), slice(4, 8), slice(8, 9)]
  assert exchange.own(blocks) == blocks
  rows = np.arange(2.0, dtype=np.float32)[None]
  ((block, values),) = exchange.all_of(blocks[-1], rows, 4)
  assert block == slice(8, 9)
  np.testing.assert_array_equal(values, rows)


@pytest.mark.parametrize('number', [1, 2, 3, 4])
def test_processes_share_blocks_in_turns_and_exchange_as_many(
  monkeypatch, number
):
  blocks = [slice(i, i + 1) for i in range(7)]
  monkeypatch.setattr(collectives, 'number', lambda: number)
  shared = []
  for index in range(number):
    monkeypatch.setattr(collectives, 'index', lambda index=index: index)
    shared.append(exchange.own(blocks))
  assert len({len(own) for own in shared}) == 1
  turns = [block for turn in zip(*shared, strict=True) for block in turn]
  assert turns[:7] == blocks
  assert all(block == slice(0, 0) for block in turns[7:])


def test_what_is_told_of_pictures_comes_back():
  pictures = (
    Picture('é.png', Transform()),
    Picture('é.png', Transform(True, -1.5)),
  )
  how = Extraction('avg', 96, 'bilinear', 8, 2)
  text = json.dumps([pictures, {'é.png': 'abc'}]).encode()
  job = processes.Job(
    'features',
    {'extraction': dataclasses.asdict(how), 'compiled_for': 5},
    [np.frombuffer(text, np.uint8)],
  )
  digests, words = exchange.told(job)
  assert digests == {'é.png': 'abc'}
  assert words == {'pictures': pictures, 'extraction': how, 'compiled_for': 5}


@pytest.mark.parametrize(
  ('field', 'other'),
  [
    ('name', 'another'),
    ('source', 'pixels unit'),
    ('weights_sha256', 'other'),
  ],
)
def test_a_process_of_another_network_computes_nothing(
  monkeypatch, demo_config, field, other
):
  """Of one file there are several preprocessings."""
  network = backbones.load('efficientnet_lite0', None, top=False)
  leaders = dataclasses.replace(network, **{field: other})
  told = []
  monkeypatch.setattr(processes, 'share', lambda *job: told.append(job))
  source = sources.Unchanged(sources.Files(pathlib.Path()), {})
  how = Extraction('avg', 32, 'keras', 8, 1)
  exchange.tell(features.Plan(leaders, source, (), how, None), [])
  job = processes.Job(*told[0])

  def jobs():
    yield job

  monkeypatch.setattr(processes, 'jobs', jobs)
  monkeypatch.setattr(
    assisting.stages, 'load_backbone', lambda *a, **b: network
  )
  with pytest.raises(UserError, match='is not that of process 0'):
    assisting.assist(demo_config, download=False)


@pytest.fixture(name='demo_config')
def _demo_config():
  config = demo.get_config('tiny').to_dict()
  registry.settings(config)
  return config
