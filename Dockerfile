# The service as an image: the locked packages, the wheel of this checkout, a user without rights.
# Everything pip installs is checked against the hashes in the locks.
#
# Without screening (screen, report) the image is 320 MB smaller, and the service lacks nothing:
#   docker build --build-arg SCREENING=yes .     keeps those packages
FROM python:3.11-slim AS build
ARG SCREENING=no
WORKDIR /src
COPY requirements.lock requirements-dev.lock ./
# The PostgreSQL driver and the build backend are locked with the development packages.
RUN awk '/^[a-z]/ { keep = /^psycopg/ } keep' requirements-dev.lock > postgresql.lock \
    && awk '/^[a-z]/ { keep = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } keep' \
        requirements-dev.lock > build.lock \
    && python -m venv /venv \
    && python -m venv /builder \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r postgresql.lock \
    && /builder/bin/pip install --no-cache-dir --require-hashes --no-deps -r build.lock
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY cds cds
COPY mappings mappings
COPY trials trials
COPY fixtures fixtures
RUN /builder/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /venv/bin/pip install --no-cache-dir --no-deps /wheels/*.whl \
    && if [ "$SCREENING" = no ]; then \
        /venv/bin/pip uninstall --yes pyarrow duckdb vl-convert-python; \
    fi \
    && /venv/bin/pip uninstall --yes pip

FROM python:3.11-slim
RUN useradd --system --user-group --uid 10001 --no-create-home --shell /usr/sbin/nologin trial-cds \
    && install -d -o trial-cds -g trial-cds -m 0700 /var/lib/trial-cds
COPY --from=build /venv /venv
# The store and the site keys: a volume, or nothing survives the container.
ENV PATH="/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_DATA_HOME=/var/lib \
    TRIAL_CDS_DATABASE_URL=sqlite:////var/lib/trial-cds/store.db
USER 10001
VOLUME /var/lib/trial-cds
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["trial-cds"]
# Refused until TRIAL_CDS_CLIENTS names who may call (or TRIAL_CDS_ALLOW_NO_TRUST says: anybody).
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
