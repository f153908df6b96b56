# syntax=docker/dockerfile:1
# PlexSync as a container: the worker, the watch over Stash and the dashboard, as one process tree of a user without rights.
#
#   docker build -t plexsync .
#
# docs/install.md tells how to run it; deploy/compose.yaml is an example beside Stash and Plex.

# One tag for both stages. Who wants the very same bytes every time builds with PYTHON_IMAGE=python@sha256:…
ARG PYTHON_IMAGE=python:3.14-alpine3.24

# --- what is installed: pinned and hashed, wheels only, so there is no compiler in either stage ------------------------
FROM ${PYTHON_IMAGE} AS build
RUN python -m venv --without-pip /opt/plexsync/venv
COPY requirements/all.txt /tmp/all.txt
RUN python -m pip --disable-pip-version-check --no-cache-dir --python /opt/plexsync/venv/bin/python \
    install --require-hashes --only-binary :all: -r /tmp/all.txt
COPY . /opt/plexsync/app
# Whatever the modes on the builder's machine: everybody may read it. (COPY --chmod is not known to every builder.)
RUN /opt/plexsync/venv/bin/python /opt/plexsync/app/deploy/link.py \
 && /opt/plexsync/venv/bin/python -m compileall -q -j 0 /opt/plexsync \
 && chmod -R a+rX /opt/plexsync \
 && chmod 0755 /opt/plexsync/app/deploy/plexsync-health

# --- what runs ---------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="PlexSync" \
      org.opencontainers.image.description="Plex shows what Stash says: a durable, self-healing sync." \
      org.opencontainers.image.licenses="MIT"

# Only the data folder is writable, by the image's user or by the one that `user:` names. It is a folder of its own
# so that a new named volume gets its owner and mode. Tools for accounts are not the same on every base.
RUN echo 'plexsync:x:1000:1000::/data:/sbin/nologin' >> /etc/passwd \
 && echo 'plexsync:x:1000:' >> /etc/group \
 && install -d -o 1000 -g 1000 -m 0700 /data

COPY --from=build /opt/plexsync /opt/plexsync
RUN ln -s /opt/plexsync/venv/bin/plexsync /opt/plexsync/app/deploy/plexsync-health /usr/local/bin/

ENV PLEXSYNC_DATA_DIR=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

USER 1000:1000
VOLUME /data
# A plexsync.toml in the data folder is found, since it is the current folder.
WORKDIR /data
EXPOSE 9797
STOPSIGNAL SIGTERM

# The dashboard answers for the worker. It is asked from inside, so it needs no published port.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["plexsync-health"]

ENTRYPOINT ["plexsync"]
CMD ["serve"]
