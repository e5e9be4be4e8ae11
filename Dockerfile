# The second road: Sitevault in a container, as an ordinary user, with its data in one volume.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 sitevault \
    && mkdir /data && chown sitevault /data
WORKDIR /opt/sitevault
COPY requirements/run.lock requirements/
RUN python -m pip install --no-cache-dir --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation .

USER sitevault
ENV SITEVAULT_HOME=/data SITEVAULT_HOST=0.0.0.0
VOLUME /data
EXPOSE 8400
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8400/health/ready', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["sitevault", "up"]
