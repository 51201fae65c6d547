"""Every error that a user can meet, in one tree.

RerankError
├── InvalidInput            the caller sent something that cannot be served
│   ├── InvalidRequest      a request's key is missing, unknown, mistyped or out of range
│   │   ├── EmptyRequest    a request without anything to work on
│   │   └── InvalidFilter   a filter clause that is not in the common part of the query language
│   ├── InvalidIndexName    an index name outside OpenSearch's rule
│   ├── SettingError        a setting that does not exist or cannot hold its value
│   ├── CorpusError         a corpus, record or judgment file that cannot be read
│   │   └── MetadataError   a metadata value outside the allowed types, or against its field's type
│   └── TrainingDataError   training data that no model can be made from
├── NotFound
│   ├── IndexNotFound       no index of that name
│   └── ModelNotFound       no model of that name, in the folder, or at a hub
├── RequestCancelled        whoever asked has left before the answer
├── IndexConflict           the index exists already, or is being built by another run
├── EncoderMismatch         the index was built with another encoder
├── StoreError              the store refused or failed
│   ├── StoreUnavailable    the store cannot be reached
│   ├── StoreTimeout        the store was too slow
│   ├── StoreFull           no space is left to write to
│   └── StoreAnswerInvalid  the store answered what it never should
├── ModelError              a model failed
│   ├── ModelInvalid        a model folder that cannot be read as what it says it is
│   ├── ModelUnavailable    a model that is still loading, or could not be loaded
│   ├── ModelOutputInvalid  a model answered a value that is not finite
│   └── ModelOverloaded     more work is waiting than is taken on
└── TrainingFailed          a training run that had to stop

Each message says what happened, where, and the way out. Errors of other libraries are translated where they
enter, once, with the cause kept.
"""

from __future__ import annotations


class RerankError(Exception):
    """The root. `error_type` is the stable name that HTTP answers and logs carry."""

    error_type = "Internal"

    @property
    def message(self) -> str:
        """The sentence for the user."""
        return str(self.args[0]) if self.args else type(self).__name__


class InvalidInput(RerankError):
    """The caller sent something that cannot be served."""

    error_type = "Validation"


class InvalidRequest(InvalidInput):
    """A request's key is missing, unknown, mistyped or out of range; `field` names the key."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class EmptyRequest(InvalidRequest):
    """A request without anything to work on."""

    error_type = "Empty"


class InvalidFilter(InvalidRequest):
    """A filter clause that is not in the common part of the query language."""


class InvalidIndexName(InvalidInput):
    """An index name outside OpenSearch's rule."""


class SettingError(InvalidInput):
    """A setting that does not exist, or cannot hold the value it was given."""


class CorpusError(InvalidInput):
    """A corpus, record or judgment file that cannot be read."""


class MetadataError(CorpusError):
    """A metadata value outside the allowed types, or against its field's type."""


class TrainingDataError(InvalidInput):
    """Training data that no model can be made from."""


class NotFound(RerankError):
    """What was named does not exist."""

    error_type = "NotFound"


class IndexNotFound(NotFound):
    """No index of that name."""


class ModelNotFound(NotFound):
    """No model of that name, in that folder, or at a hub."""


class RequestCancelled(RerankError):
    """Whoever asked has left before the answer: what was still to be computed for them is dropped."""

    error_type = "Cancelled"


class IndexConflict(RerankError):
    """The index exists already, or is being built by another run."""

    error_type = "Conflict"


class EncoderMismatch(RerankError):
    """The index was built with another encoder: its vectors cannot be compared with this one's."""

    error_type = "EncoderMismatch"


class StoreError(RerankError):
    """The store refused or failed."""

    error_type = "Store"


class StoreUnavailable(StoreError):
    """The store cannot be reached."""

    error_type = "Unhealthy"


class StoreTimeout(StoreError):
    """The store was too slow."""

    error_type = "StoreTimeout"


class StoreFull(StoreError):
    """No space is left to write to."""


class StoreAnswerInvalid(StoreError):
    """The store answered what it never should."""

    error_type = "StoreAnswer"


class ModelError(RerankError):
    """A model failed."""

    error_type = "Backend"


class ModelInvalid(ModelError):
    """A model folder that cannot be read as what it says it is."""


class ModelUnavailable(ModelError):
    """A model that is still loading, or could not be loaded."""

    error_type = "Unhealthy"


class ModelOutputInvalid(ModelError):
    """A model answered a value that is not finite."""


class ModelOverloaded(ModelError):
    """More work is waiting than is taken on."""

    error_type = "Overloaded"


class TrainingFailed(RerankError):
    """A training run that had to stop."""

    error_type = "Training"
