# Nameplate's program, for docker-compose.yml and for clusters. Nothing in it writes to disk, and it needs no root.
# The base is pinned by its version; pin its digest too where you build for more than a trial.
FROM python:3.11.15-slim-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev
WORKDIR /build
# All that the lock names is fetched and held against its hash, and only what the program needs is then taken from
# there, without an index: so one lock serves, and no tool of development gets into the image.
COPY requirements.lock .
RUN pip download --no-cache-dir --only-binary :all: --require-hashes --requirement requirements.lock --dest wheels
COPY pyproject.toml README.md ./
COPY schemas schemas
COPY streams streams
RUN pip wheel --no-cache-dir --no-index --find-links wheels --no-deps --wheel-dir wheels . \
    && python -m venv --without-pip /opt/nameplate \
    && pip --python /opt/nameplate/bin/python install --no-cache-dir --no-index --find-links wheels \
        wheels/nameplate-*.whl

FROM python:3.11.15-slim-bookworm
COPY --from=build /opt/nameplate /opt/nameplate
ENV PATH=/opt/nameplate/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["nameplate"]
