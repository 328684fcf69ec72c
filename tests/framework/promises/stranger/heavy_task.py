"""The task of a stranger who draws figures, and makes everybody wait for it."""

import matplotlib as mpl  # noqa: F401  # seconds in every list of tasks
from stranger_task import HEALTHY

TASK = HEALTHY
