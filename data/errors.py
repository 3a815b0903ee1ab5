"""The errors a user can meet. Each message says what, where and what to do."""


class WidomillError(Exception):
    """Base class of everything widomill raises on purpose."""


class InputError(WidomillError):
    """Something the user gave cannot be used; the command line exits with status 2."""


class StructureError(InputError):
    """A host structure cannot be read or makes no physical sense."""


class DisorderedStructureError(StructureError):
    """A host has partial occupancies or several species on one site."""


class OverlappingAtomsError(StructureError):
    """Two host atoms lie on top of each other."""


class UnknownElementError(StructureError):
    """A site names no known element."""


class MissingChargesError(InputError):
    """The guest is charged and the host has no partial charges."""


class NetChargeError(InputError):
    """Host or guest charges do not add up to zero."""


class AbsurdChargesError(InputError):
    """Partial charges are beyond what any atom has."""


class MissingParametersError(InputError):
    """The force field has no parameters for a site type."""


class ForceFieldError(InputError):
    """A force-field file is malformed or asks for something unsupported."""


class GuestError(InputError):
    """A guest is unknown, or its definition is malformed."""


class HostError(InputError):
    """A host is neither a readable file nor a bundled name."""


class SettingsError(InputError):
    """An option is out of its bounds or contradicts another one."""


class ReferenceLevelError(InputError):
    """A reference level cannot be used: not installed, unknown, or it failed its self-check."""


class OffsetReferenceError(ReferenceLevelError):
    """A reference gives a non-zero interaction energy where there is no interaction."""


class ModelError(InputError):
    """A model of the registry is unknown, damaged, or made for another reference or guest."""


class CampaignFileError(SettingsError):
    """A campaign file cannot be used; the message lists each problem with its line."""


class RunFolderError(InputError):
    """A run folder is missing, incomplete, or belongs to other settings."""


class CampaignBusyError(RunFolderError):
    """Another process is working on the same campaign."""


class CampaignStopped(WidomillError):
    """A campaign was asked to stop; its folder is ready to resume."""


class StorageError(WidomillError, OSError):
    """Files cannot be written: no space, no right to, a disk that fails. All that runs meets it."""


class TransientError(WidomillError):
    """A failure worth a retry (file system hiccup, lost worker); others are not retried."""


class ReferenceFailedError(WidomillError):
    """A reference fails so often that its answer would be the surrogate's."""


class DeadWorkerError(TransientError):
    """Worker processes died over one item again and again, or the cluster was lost."""


class CrashedWorkerError(DeadWorkerError):
    """One item killed every worker process that ran it: a crash, or want of memory."""


class TimeLimitError(WidomillError):
    """One item ran longer than its limit; its worker process was ended."""


class LabelFailure(WidomillError):
    """One reference call gave no usable energy; recorded with its reason."""
