# In the place of git-sync's image: the same arguments. It is Pinnace's image with git in it, a file of its own because
# whoever builds without BuildKit would build every target of one file.
#   docker build -f deploy/git-sync.Dockerfile -t pinnace-git-sync:latest --build-arg PINNACE=pinnace:latest .
ARG PINNACE=pinnace:latest

FROM ${PINNACE}
# As root, because volumes are root's at first.
USER 0:0
RUN if ! command -v git || ! command -v ssh; then \
        apt-get -qq update \
        && apt-get -qq -y install --no-install-recommends git openssh-client ca-certificates \
        && rm -rf /var/lib/apt/lists/*; \
    fi
HEALTHCHECK NONE
ENTRYPOINT ["git-sync"]
CMD []
