# plimsoll in an image: docker run --rm -v "$PWD:/work" -w /work plimsoll lint
FROM rust:1.90-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release --package plimsoll && cp target/release/plimsoll /plimsoll

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="plimsoll" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /plimsoll /usr/bin/plimsoll
USER 65532:65532
ENTRYPOINT ["/usr/bin/plimsoll"]
