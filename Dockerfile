# docket in a container.
#
#   docker build -t docket .                                    CPU
#   docker build -t docket:cuda --build-arg VARIANT=cuda .      with the CUDA backend beside it
#
# Bases are pinned by tag. To pin the very bytes, give a digest as well:
#   --build-arg DEBIAN=debian:12.11-slim@sha256:…   (docker buildx imagetools inspect debian:12.11-slim)
ARG VARIANT=cpu
ARG DEBIAN=debian:12.11-slim
ARG CUDA=nvidia/cuda:12.8.1-devel-ubuntu22.04

# Compiler and headers stay in here.
FROM ${DEBIAN} AS build
ARG COMMIT=unknown
WORKDIR /src
COPY deploy/install-deps.sh deploy/
RUN deploy/install-deps.sh --build
COPY Makefile ./
COPY tests/targets.mk tests/
COPY kernels kernels
COPY worker worker
COPY handlers handlers
RUN make -j"$(nproc)" COMMIT="${COMMIT}" install DESTDIR=/out && strip /out/usr/local/bin/docket

# What both images have: libraries, a user without rights, the program.
FROM ${DEBIAN} AS runtime
COPY deploy/install-deps.sh /tmp/
RUN /tmp/install-deps.sh --runtime \
    && rm -rf /var/lib/apt/lists/* /tmp/install-deps.sh \
    && groupadd --gid 10001 docket \
    && useradd --uid 10001 --gid 10001 --home-dir /home/docket --create-home --shell /usr/sbin/nologin docket
COPY --from=build /out/usr/local/bin/docket /usr/local/bin/docket
COPY LICENSE /usr/share/doc/docket/LICENSE

FROM runtime AS final-cpu

# The CUDA backend, with the CUDA runtime inside, and the one library of NVIDIA's that it opens. docket opens the backend at run time;
# without a driver it serves on the CPU and says so.
FROM ${CUDA} AS cuda
WORKDIR /src
COPY Makefile ./
COPY tests/targets.mk tests/
COPY kernels kernels
RUN make -j"$(nproc)" cuda \
    && install -D -m 755 build/release/libdocket_cuda.so /out/libdocket_cuda.so \
    && cp -L /usr/local/cuda/lib64/libcublasLt.so.12 /out/

FROM runtime AS final-cuda
COPY --from=cuda /out/ /usr/local/lib/
RUN ldconfig
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM final-${VARIANT}
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="docket" \
      org.opencontainers.image.description="A worker that takes document classification jobs from a queue" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${COMMIT}" \
      org.opencontainers.image.licenses="Apache-2.0"
USER 10001:10001
WORKDIR /home/docket
# Loading a large model takes minutes; until it is done, a missing sign of life is no fault.
HEALTHCHECK --interval=30s --timeout=5s --start-period=600s --retries=3 CMD ["docket", "health"]
# Alone it is the worker where a platform's variables are set; arguments are flags, or another command.
ENTRYPOINT ["docket"]
