"""Stores on this machine, which s3:// and gs:// are in these tests."""

from collections.abc import Callable, Iterator
import http.server
import os
from typing import Any, NamedTuple
import urllib.parse

# Read as gcsfs is imported: it would ask Google of which kind a bucket is.
os.environ['GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT'] = 'false'

import boto3
from gcp_storage_emulator import server as gcp_server
from google.auth import credentials
from google.cloud import storage
import moto.server
import pytest


class Emulated(NamedTuple):
  """An emulated store.

  Attributes:
    scheme: of its addresses.
    put: writes an object: its name and bytes.
    delete: takes one away.
  """

  scheme: str
  put: Callable[[str, bytes], object]
  delete: Callable[[str], object]


BUCKET = 'bucket'
# Objects of one answer at most, as Google and Amazon have it.
_PAGE = 1000


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
  server = moto.server.ThreadedMotoServer('127.0.0.1', 0, verbose=False)
  server.start()
  host, port = server.get_host_and_port()
  monkeypatch.setenv('AWS_ENDPOINT_URL', f'http://{host}:{port}')
  monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'key')
  monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'secret')
  monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-east-1')
  client = boto3.client('s3')
  client.create_bucket(Bucket=BUCKET)
  try:
    yield Emulated(
      's3',
      lambda key, data: client.put_object(Bucket=BUCKET, Key=key, Body=data),
      lambda key: client.delete_object(Bucket=BUCKET, Key=key),
    )
  finally:
    server.stop()


class _Paged(gcp_server.Response):
  """Listings by pages: the emulator answers with all objects at once."""

  def json(self, body: Any) -> None:
    if body.get('kind') == 'storage#objects':
      query = urllib.parse.urlsplit(self._handler.path).query
      token = urllib.parse.parse_qs(query).get('pageToken', ['0'])
      start, every = int(token[0]), body['items']
      body = body | {'items': every[start : start + _PAGE]}
      if start + _PAGE < len(every):
        body['nextPageToken'] = str(start + _PAGE)
    super().json(body)


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
  # Its one thread drops connections of a longer queue.
  monkeypatch.setattr(http.server.HTTPServer, 'request_queue_size', 256)
  monkeypatch.setattr(gcp_server, 'Response', _Paged)
  server = gcp_server.create_server(
    '127.0.0.1', 0, in_memory=True, default_bucket=BUCKET
  )
  server.start()
  port = server._api._httpd.server_address[1]
  monkeypatch.setenv('STORAGE_EMULATOR_HOST', f'http://127.0.0.1:{port}')
  monkeypatch.setenv('NO_GCE_CHECK', 'true')
  client = storage.Client('project', credentials.AnonymousCredentials())
  bucket = client.bucket(BUCKET)
  try:
    yield Emulated(
      'gs',
      lambda key, data: bucket.blob(key).upload_from_string(data),
      lambda key: bucket.blob(key).delete(),
    )
  finally:
    server.stop()


@pytest.fixture(params=['s3', 'gs'])
def emulated(request: pytest.FixtureRequest) -> Emulated:
  return request.getfixturevalue(request.param)
