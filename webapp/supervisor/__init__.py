"""One command that starts everything Lotline needs, keeps it running, and ends it: `python -m webapp.supervisor`.

`python -m webapp.supervisor exec COMMAND…` runs one command with the same environment, beside a running Lotline or,
with the services started for its time, alone.
"""
