# The server with speech from the cloud. `--build-arg EXTRAS=[local]` adds the local speech engine.
FROM python:3.12-slim

ARG EXTRAS=""
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY telephony telephony
COPY twiml twiml
RUN pip install --no-cache-dir ".${EXTRAS}" \
    && useradd --create-home --uid 1000 phone \
    && mkdir /data && chown phone /data

USER phone
WORKDIR /data
ENV DATA_DIR=/data PORT=8080
EXPOSE 8080
# In the exec form Python is process 1 and gets SIGTERM itself.
CMD ["telephony", "serve", "--host", "0.0.0.0"]
