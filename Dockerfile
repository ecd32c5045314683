# Tutela in a container: `docker build -t tutela .`; see compose.yaml for service, console, PostgreSQL and S3 together.
FROM python:3.13-slim-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++=4:12.2.0-3 \
    && rm -rf /var/lib/apt/lists/*
COPY requirements /src/requirements
WORKDIR /src
RUN python -m venv /uv \
    && /uv/bin/pip install --no-cache-dir --require-hashes -r requirements/bootstrap.lock \
    && /uv/bin/uv venv /opt/tutela \
    && /uv/bin/uv pip install --no-cache --python /opt/tutela/bin/python --require-hashes --no-deps -r requirements/run.lock
COPY . /src
RUN PATH=/opt/tutela/bin:$PATH \
    /uv/bin/uv pip install --no-cache --python /opt/tutela/bin/python --no-build-isolation --no-deps .

FROM python:3.13-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libarchive13=3.6.2-1+deb12u3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 tutela \
    && useradd --uid 10001 --gid tutela --home-dir /var/lib/tutela --create-home --shell /usr/sbin/nologin tutela \
    && chmod 0700 /var/lib/tutela
COPY --from=build /opt/tutela /opt/tutela
ENV PATH=/opt/tutela/bin:$PATH TUTELA_HOME=/var/lib/tutela PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /var/lib/tutela
EXPOSE 8080 8081
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
ENTRYPOINT ["tutela"]
CMD ["serve", "--host", "0.0.0.0"]
