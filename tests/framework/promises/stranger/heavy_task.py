"""The task of a stranger who imports much, and makes everybody wait for it."""

import heavy_stand_in  # noqa: F401  # seconds in every list of tasks
from stranger_task import HEALTHY

TASK = HEALTHY
