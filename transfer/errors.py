"""Everything this framework raises on purpose.

* TransferError
  + TaskNotFoundError     no plugin of that name is installed
  + BrokenPromiseError    a plugin breaks the task contract
  + TaskNameError         a name that no new task can have
  + DataNotFoundError     files are not where they were said to be
  + ManifestError         rows that cannot be trained on
  + ImageError            a file that is no readable picture
  + MissingPackageError   a package that only some pictures need
  + RecipeError           a setting that is unknown or out of range
  + WeightsError          weights that are missing or do not fit
  + TrainingError         training that cannot go on
  + MeasuringError        a network that cannot be measured on this machine
  + CheckpointError       a run that cannot be continued
  + StoreError            a run store that cannot be read or written
  + RunNotFoundError      no run of that name
  + ComparisonError       runs that cannot be compared
  + OutputError           a place that cannot be written to
  + ExportError           a model that cannot leave in a format, or would say something else there
  + PromotionError        a run that nothing shows to be fit for a name
  + FetchError            a data set that cannot be fetched, or is not what its card says
  + ProcessError          processes that cannot go on together
"""


class TransferError(Exception):
    """A mistake the user can fix; the command line prints it without a traceback."""


class TaskNotFoundError(TransferError, LookupError):
    """No installed plugin has this name."""


class BrokenPromiseError(TransferError, TypeError):
    """A plugin does not keep the task contract."""


class TaskNameError(TransferError, ValueError):
    """A name that no new task can have."""


class DataNotFoundError(TransferError, FileNotFoundError):
    """Files are not where they were said to be."""


class ManifestError(TransferError, ValueError):
    """Rows that cannot be trained on."""


class ImageError(TransferError, ValueError):
    """A file that is no readable picture."""


class MissingPackageError(TransferError, ImportError):
    """A package that only some pictures need is not installed."""


class RecipeError(TransferError, ValueError):
    """A setting that is unknown or out of range."""


class WeightsError(TransferError, ValueError):
    """Weights that are missing or do not fit the network."""


class TrainingError(TransferError, ArithmeticError):
    """Training that cannot go on, such as a loss that is no number."""


class MeasuringError(TransferError, RuntimeError):
    """A network that cannot be measured on this machine, as for want of memory."""


class CheckpointError(TransferError, ValueError):
    """A run that cannot be continued: its checkpoint is damaged, or something else differs."""


class StoreError(TransferError, OSError):
    """A run store that cannot be read or written."""


class RunNotFoundError(TransferError, LookupError):
    """No run of the store has this name or id."""


class ComparisonError(TransferError, ValueError):
    """Runs that cannot be compared, because they did not answer the same rows."""


class OutputError(TransferError, OSError):
    """A place that cannot be written to."""


class ExportError(TransferError, ValueError):
    """A model that cannot leave in a format, or would say something else there."""


class PromotionError(TransferError, ValueError):
    """A run that nothing shows to be fit for the name it shall have."""


class FetchError(TransferError, RuntimeError):
    """A public data set that cannot be fetched, or is not what its card says."""


class ProcessError(TransferError, RuntimeError):
    """Processes of one run that were started wrongly, or one of which has gone."""
