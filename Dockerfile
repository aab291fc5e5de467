FROM python:3.12-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 lotline \
    && install -d -o lotline -g lotline /app /app/var

USER lotline
WORKDIR /app

# What changes rarely comes first, so that a change of the code does not install everything again.
COPY --chown=lotline Makefile requirements.txt package.json package-lock.json ./
COPY --chown=lotline webapp/embedded/fetch_redis.py webapp/embedded/
RUN make setup && rm -rf ~/.cache ~/.npm

COPY --chown=lotline . .

# Photos, logs, and without DATABASE_URL the database too.
VOLUME /app/var
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
HEALTHCHECK --start-period=60s \
    CMD [".venv/bin/python", "-c", "import os, urllib.request as web; web.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=3)"]
CMD ["make", "run"]
