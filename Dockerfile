# The program and the Python package, without a compiler:
#     docker build -t farcast .
#     docker run --rm -v "$PWD:/work" farcast run storms.farcast
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-pip \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir --break-system-packages maturin==1.16.0
# The toolchain of the image is the one that rust-toolchain.toml names.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN maturin build --locked --out /wheels

FROM python:3.13-slim-bookworm
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[pandas]" && rm -r /wheels
WORKDIR /work
ENTRYPOINT ["farcast"]
CMD ["--help"]
