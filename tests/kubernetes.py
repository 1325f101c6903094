"""What the Kubernetes API takes of a Job and a JobSet, as far as we use it.

Written from the references of batch/v1 and jobset.x-k8s.io/v1alpha2, and as
strict as the server: a key that is not there is a mistake.
"""

from typing import Any

_NAME = {'type': 'string', 'pattern': '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$'}
_COUNT = {'type': 'integer', 'minimum': 0}
# A number, or one with a unit.
_QUANTITY = {
  'type': ['string', 'integer'],
  'pattern': '^[0-9]+(\\.[0-9]+)?([munkMGTPE]|[KMGTPE]i)?$',
}


def _object(required: str = '', **properties: Any) -> dict[str, Any]:
  return {
    'type': 'object',
    'properties': properties,
    'required': required.split(),
    'additionalProperties': False,
  }


def _list(items: Any) -> dict[str, Any]:
  return {'type': 'array', 'items': items, 'minItems': 1}


def _map(values: Any) -> dict[str, Any]:
  return {'type': 'object', 'additionalProperties': values}


_TEXTS = _list({'type': 'string'})
_METADATA = _object('name', name=_NAME)
_CONTAINER = _object(
  'name image',
  name=_NAME,
  image={'type': 'string'},
  args=_TEXTS,
  resources=_object(limits=_map(_QUANTITY)),
  volumeMounts=_list(
    _object(
      'name mountPath',
      name=_NAME,
      mountPath={'type': 'string', 'pattern': '^/'},
    )
  ),
)
_POD = _object(
  'containers restartPolicy',
  restartPolicy={'enum': ['Never', 'OnFailure']},  # Of a Job.
  terminationGracePeriodSeconds=_COUNT,
  nodeSelector=_map({'type': 'string'}),
  containers=_list(_CONTAINER),
  volumes=_list(
    _object(
      'name persistentVolumeClaim',
      name=_NAME,
      persistentVolumeClaim=_object('claimName', claimName=_NAME),
    )
  ),
)
_ON_EXIT_CODES = _object(
  'operator values',
  containerName=_NAME,
  operator={'enum': ['In', 'NotIn']},
  values=_list({'type': 'integer', 'minimum': 0, 'maximum': 255}),
)
_ON_POD_CONDITIONS = _list(
  _object(
    'type status',
    type={'type': 'string'},
    status={'enum': ['True', 'False', 'Unknown']},
  )
)
_JOB = _object(
  'template',
  completionMode={'enum': ['Indexed', 'NonIndexed']},
  completions=_COUNT,
  parallelism=_COUNT,
  backoffLimit=_COUNT,
  backoffLimitPerIndex=_COUNT,
  maxFailedIndexes=_COUNT,
  podFailurePolicy=_object(
    'rules',
    rules=_list(
      _object(
        'action',
        action={'enum': ['FailJob', 'FailIndex', 'Ignore', 'Count']},
        onExitCodes=_ON_EXIT_CODES,
        onPodConditions=_ON_POD_CONDITIONS,
      )
    ),
  ),
  template=_object('spec', spec=_POD),
)
_FAILURES = ['BackoffLimitExceeded', 'DeadlineExceeded', 'FailedIndexes']
_FAILURES += ['MaxFailedIndexesExceeded', 'PodFailurePolicy']
_JOB_SET = _object(
  'replicatedJobs',
  failurePolicy=_object(
    maxRestarts=_COUNT,
    rules=_list(
      _object(
        'name action',
        name={'type': 'string', 'pattern': '^[A-Za-z]([A-Za-z0-9_,:]*\\w)?$'},
        action={
          'enum': [
            'FailJobSet',
            'RestartJobSet',
            'RestartJobSetAndIgnoreMaxRestarts',
          ]
        },
        onJobFailureReasons=_list({'enum': _FAILURES}),
      )
    ),
  ),
  replicatedJobs=_list(
    _object(
      'name template',
      name=_NAME,
      replicas=_COUNT,
      template=_object('spec', spec=_JOB),
    )
  ),
)
# By kind.
SCHEMAS = {
  kind: _object(
    'apiVersion kind metadata spec',
    apiVersion={'const': version},
    kind={'const': kind},
    metadata=_METADATA,
    spec=spec,
  )
  for kind, version, spec in (
    ('Job', 'batch/v1', _JOB),
    ('JobSet', 'jobset.x-k8s.io/v1alpha2', _JOB_SET),
  )
}
