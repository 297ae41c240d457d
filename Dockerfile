# Two stages: build with the compiler, run without it, as a user without rights.
FROM debian:12-slim AS build
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        gcc make pkg-config libc6-dev libmicrohttpd-dev libpq-dev libjansson-dev libcyaml-dev libyaml-dev \
        uuid-dev libcurl4-openssl-dev libssl-dev libpcre2-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN make all && install -D -t /out build/bin/sagad build/bin/sagactl build/bin/saga-demo

FROM debian:12-slim
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        libmicrohttpd12 libpq5 libjansson4 libcyaml1 libyaml-0-2 libuuid1 libcurl4 libssl3 libpcre2-8-0 \
    && rm -rf /var/lib/apt/lists/* && useradd --system --uid 10001 --no-create-home sagad
COPY --from=build /out/ /usr/local/bin/
COPY sagas/ /etc/sagad/sagas/
LABEL org.opencontainers.image.title="sagad" \
      org.opencontainers.image.description="Saga orchestration on PostgreSQL" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s CMD ["sagactl", "ping"]
ENTRYPOINT ["sagad"]
CMD ["--config", "/etc/sagad/sagad.yaml"]
