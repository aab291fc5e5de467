"""Benchmarks run numpy's algebra in one thread, as the worker does."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
