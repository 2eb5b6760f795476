# Perch in one container: gunicorn as process 1, an unprivileged user, one volume with one file.
# docker build -t perch . && docker run -d --name perch -p 8000:8000 -v perch-data:/data perch
# Then once: docker exec perch flask init (prints the URLs, the console password and a first access key).
# --build-arg BASE=python:3.11-slim-bookworm@sha256:DIGEST pins the base image; docs/operate.md says how.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PERCH_DATABASE=/data/perch.db

WORKDIR /perch

# Perch's own user owns the file; an orchestrator can tell from the number that it is not root.
RUN groupadd --gid 10001 perch \
    && useradd --uid 10001 --gid perch --no-create-home --home-dir /data --shell /usr/sbin/nologin perch \
    && install --directory --owner perch --group perch --mode 0700 /data

# This layer is rebuilt only if a requirement changes; pip checks every file against its hash.
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements.txt

COPY app.py gunicorn.conf.py LICENSE ./
COPY schemas/ schemas/
COPY storage/ storage/
COPY scim/ scim/
RUN python -m compileall -q app.py schemas storage scim

USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# The timeout is twice the longest that /readyz waits for the writer. The image has urllib, but no curl.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=9)"]

# The delivery worker ends with its parent, process 1, which becomes gunicorn.
CMD ["sh", "-c", "flask deliver --with-parent & exec gunicorn --bind 0.0.0.0:8000 app:app"]
