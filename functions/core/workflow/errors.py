"""The workflow's vocabulary of failure, in one place.

Step Functions matches Python errors by bare class name, without inheritance, so the names below are what
`statemachine/self_heal.asl.json` may list under `ErrorEquals`; a contract test holds the two together.

    SelfHealError
    ├── TransientError            the workflow retries these, with backoff and jitter
    │   ├── AppStorms             one app sends more errors than its share (Lambda delivers again)
    │   ├── ForgeUnavailable      the git host did not answer, or answered 5xx or 429
    │   ├── ModelThrottled        Bedrock asked us to slow down
    │   ├── ModelUnavailable      Bedrock failed on its side, or timed out
    │   └── RunnerUnavailable     what runs patches could not be started, or did not answer
    └── PermanentError            never retried: somebody must change something, then redrive
        ├── AppNotRegistered      no app in the registry has this name
        ├── AppInvalid            the app's registry entry breaks a rule; the message names the field
        ├── IncidentNotFound      the incident is no longer in the table
        ├── RepositoryNotFound    the repository, branch or commit does not exist (or is hidden from us)
        ├── SourceTooLarge        the source tree is beyond what a heal may read
        ├── ArchiveUnsafe         a source archive holds what ours never hold: a way out of its directory
        ├── ArtifactChanged       an object is not the one that an earlier step wrote and told of
        ├── ForgeAccessDenied     the git host refused the app's credentials
        ├── ForgeRefused          the git host refuses what was asked, for its content
        ├── ModelAccessDenied     Bedrock refused: model access or IAM
        ├── ModelNotFound         Bedrock has no such model for this account and region, or no more
        ├── ModelRequestInvalid   Bedrock rejected the request itself
        │   ├── PromptTooLong     it holds more than the model reads
        │   └── ParameterRefused  the model does not take one of its parameters
        ├── HealingStopped        somebody stopped all healing; it goes on once it is started again
        ├── ApprovalMismatch      what is to be committed is not what was approved
        └── BranchConflict        the branch exists and holds something else

Business outcomes (duplicate, abstained, rejected) are results, not errors: they end in Succeed states.
"""


class SelfHealError(Exception):
    """Base of every error that this project raises on purpose. The message says what to do next."""


class TransientError(SelfHealError):
    """A dependency failed in a way that usually passes; the workflow retries the step."""


class PermanentError(SelfHealError):
    """Retrying cannot help. The execution fails at this step; mend the cause, then redrive."""


class AppStorms(TransientError):
    """One app sends more errors than its share of detection; Lambda delivers them again later."""


class ForgeUnavailable(TransientError):
    """The git host could not be reached, was overloaded, or failed."""


class ModelThrottled(TransientError):
    """Bedrock asked us to slow down (`ThrottlingException`)."""


class ModelUnavailable(TransientError):
    """Bedrock failed on its side or timed out."""


class RunnerUnavailable(TransientError):
    """What runs patches could not be started, read its job or leave its report."""


class AppNotRegistered(PermanentError):
    """The app registry has no entry for this name."""


class AppInvalid(PermanentError):
    """An entry of the app registry breaks a rule."""


class IncidentNotFound(PermanentError):
    """The incident is not in the table (expired, or deleted by hand)."""


class RepositoryNotFound(PermanentError):
    """The repository, the branch or the commit does not exist, or the credentials cannot see it."""


class SourceTooLarge(PermanentError):
    """The source tree has more files or bytes than a heal may read; the message names both and the limit."""


class ArchiveUnsafe(PermanentError):
    """A source archive is broken, or holds members that would leave the directory it is unpacked into."""


class ArtifactChanged(PermanentError):
    """An artifact's bytes differ from those that a step wrote, proved or showed."""


class ForgeAccessDenied(PermanentError):
    """The git host refused the app's credentials."""


class ModelAccessDenied(PermanentError):
    """Bedrock refused: the model is not enabled in this account, or IAM does not allow it."""


class ModelNotFound(PermanentError):
    """Bedrock has no such model for this account and region: unknown, legacy, or at the end of its life."""


class ModelRequestInvalid(PermanentError):
    """Bedrock rejected the request (`ValidationException`)."""


class PromptTooLong(ModelRequestInvalid):
    """The request holds more than the model reads. `reads`: how many tokens that is, 0 where nobody says."""

    def __init__(self, message: str, reads: int = 0) -> None:
        super().__init__(message)
        self.reads = reads


class ParameterRefused(ModelRequestInvalid):
    """The model does not take a parameter. `parameter`: its name among `core.model.parameters`; `limit`:
    the most that it takes of it, 0 where nobody says."""

    def __init__(self, message: str, parameter: str, limit: int = 0) -> None:
        super().__init__(message)
        self.parameter = parameter
        self.limit = limit


class HealingStopped(PermanentError):
    """All healing is stopped (see `core.workflow.switch`). The heal goes on from here with a redrive."""


class ApprovalMismatch(PermanentError):
    """The patch or its base differs from what a human approved. Nothing is pushed."""


class BranchConflict(PermanentError):
    """The heal's branch already exists on the forge with other content. Nothing is overwritten."""


class ForgeRefused(PermanentError):
    """The git host refuses a request for what it asks: a name it does not know, a text that is too long."""
