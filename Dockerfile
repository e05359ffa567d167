FROM rust:1.95-bookworm AS build
WORKDIR /siteward
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/siteward --create-home siteward
COPY --from=build /siteward/target/release/siteward /usr/local/bin/siteward
USER siteward
VOLUME /var/lib/siteward
# The console has to listen on all addresses of the container to be reached through a published port.
ENV SITEWARD_DATA_DIR=/var/lib/siteward SITEWARD_CONSOLE_ADDRESS=0.0.0.0:9443
EXPOSE 80 443 9443
ENTRYPOINT ["siteward"]
