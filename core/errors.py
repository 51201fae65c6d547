"""All errors that reach users.

RerankError
├── InvalidInput            the input is invalid
│   ├── InvalidRequest      a key of a request is missing, unknown, mistyped or out of range
│   │   ├── EmptyRequest    a request without any text
│   │   └── InvalidFilter   a filter clause that is not supported
│   ├── InvalidIndexName    an index name that breaks OpenSearch's naming rules
│   ├── SettingError        an unknown setting or an invalid value
│   ├── CorpusError         an invalid corpus, record or judgment file
│   │   └── MetadataError   a metadata value of a wrong type
│   └── TrainingDataError   training data that is invalid or insufficient
├── NotFound
│   ├── IndexNotFound       an unknown index
│   └── ModelNotFound       an unknown model name, folder or hub id
├── RequestCancelled        the client disconnected before the response
├── IndexConflict           the index exists, or another run builds it
├── EncoderMismatch         the index was built with a different encoder
├── StoreError              the store refused a request or failed
│   ├── StoreUnavailable    the store is unreachable
│   ├── StoreTimeout        the store did not respond in time
│   ├── StoreFull           the store has no space left
│   └── StoreAnswerInvalid  the store sent an unexpected response
├── ModelError              a model failed
│   ├── ModelInvalid        an invalid model folder
│   ├── ModelUnavailable    a model that is loading or failed to load
│   ├── ModelOutputInvalid  a model output that is not finite
│   ├── ModelTimeout        the model did not finish before the deadline
│   └── ModelOverloaded     the queue of requests is full
└── TrainingFailed          a training run that failed

Each message states what happened, where, and how to fix it. The module that calls a library translates the library's
errors and keeps the cause.
"""

from __future__ import annotations


class RerankError(Exception):
    """Root of all errors. `error_type` is a stable name for HTTP responses and logs."""

    error_type = "Internal"

    @property
    def message(self) -> str:
        """Message for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidInput(RerankError):
    """Invalid input."""

    error_type = "Validation"


class InvalidRequest(InvalidInput):
    """Key of a request that is missing, unknown, mistyped or out of range; `field` names the key."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class EmptyRequest(InvalidRequest):
    """Request without any text."""

    error_type = "Empty"


class InvalidFilter(InvalidRequest):
    """Filter clause that is not supported."""


class InvalidIndexName(InvalidInput):
    """Index name that breaks OpenSearch's naming rules."""


class SettingError(InvalidInput):
    """Unknown setting or invalid value of a setting."""


class CorpusError(InvalidInput):
    """Invalid corpus, record or judgment file."""


class MetadataError(CorpusError):
    """Metadata value of a type that is not allowed, or that differs from its field's type."""


class TrainingDataError(InvalidInput):
    """Training data that is invalid or insufficient."""


class NotFound(RerankError):
    """Unknown name."""

    error_type = "NotFound"


class IndexNotFound(NotFound):
    """Unknown index."""


class ModelNotFound(NotFound):
    """Unknown model name, folder or hub id."""


class RequestCancelled(RerankError):
    """Request cancelled because the client disconnected; its remaining work is dropped."""

    error_type = "Cancelled"


class IndexConflict(RerankError):
    """Index that exists, or that another run builds."""

    error_type = "Conflict"


class EncoderMismatch(RerankError):
    """Index that was built with a different encoder, so that vectors are not comparable."""

    error_type = "EncoderMismatch"


class StoreError(RerankError):
    """Store that refused a request or failed."""

    error_type = "Store"


class StoreUnavailable(StoreError):
    """Store that is unreachable."""

    error_type = "Unhealthy"


class StoreTimeout(StoreError):
    """Store that did not respond in time."""

    error_type = "StoreTimeout"


class StoreFull(StoreError):
    """Store without space left."""


class StoreAnswerInvalid(StoreError):
    """Unexpected response of the store."""

    error_type = "StoreAnswer"


class ModelError(RerankError):
    """Model that failed."""

    error_type = "Backend"


class ModelInvalid(ModelError):
    """Invalid model folder."""


class ModelUnavailable(ModelError):
    """Model that is loading or failed to load."""

    error_type = "Unhealthy"


class ModelOutputInvalid(ModelError):
    """Model output that is not finite."""


class ModelTimeout(ModelError):
    """Model that did not finish before the deadline."""


class ModelOverloaded(ModelError):
    """Full queue: the model does not accept more requests."""

    error_type = "Overloaded"


class TrainingFailed(RerankError):
    """Training run that failed."""

    error_type = "Training"
