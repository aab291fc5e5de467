"""The four phases of a run as pure functions: facts in, findings out.

Nothing in here knows Flask, a database or Redis; everything a phase needs is passed in, so the same functions run
in a worker, in a benchmark and from a shell.
"""
