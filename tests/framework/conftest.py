"""One thread for each test process: pytest-xdist already runs one of them on every core."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read by torch when it is imported
