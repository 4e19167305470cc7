# docker build -t ase_les . && docker run --rm -v $PWD:/work ase_les md water.xyz --model water-rpbe-d3
FROM python:3.12-slim AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
RUN python -m venv /opt/ase_les \
    && /opt/ase_les/bin/pip install --no-cache-dir "torch<2.14" \
        --index-url https://download.pytorch.org/whl/cpu \
    && /opt/ase_les/bin/pip install --no-cache-dir "/source[phonons]"

FROM python:3.12-slim
COPY --from=build /opt/ase_les /opt/ase_les
ENV PATH=/opt/ase_les/bin:$PATH
WORKDIR /work
ENTRYPOINT ["ase-les"]
CMD ["--help"]
