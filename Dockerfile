# The server with speech from the cloud, with the packages and versions of the lock file.
# `docker build --build-arg LOCK=requirements-local.txt .` adds the local speech engine and its models.
# The version is the one of .python-version: the whole test suite runs on it.
FROM python:3.11-slim

ARG LOCK=requirements.txt
WORKDIR /app
COPY requirements*.txt ./
RUN pip install --no-cache-dir --require-hashes -r "$LOCK"
COPY telephony telephony
COPY twiml twiml
# Where the local engine looks for its models.
ENV XDG_CACHE_HOME=/app/cache
RUN if [ "$LOCK" != requirements.txt ]; then python -m telephony.engine.models; fi
# The files are read by another user than the one who has copied them, whose umask may have been strict.
RUN chmod -R a+rX /app \
    && python -m compileall -q telephony \
    && useradd --create-home --uid 10001 phone \
    && mkdir /data && chown phone /data

USER phone
ENV DATA_DIR=/data PORT=8080
EXPOSE 8080
# In the exec form Python is process 1 and gets SIGTERM itself. `docker run IMAGE doctor` runs another command.
ENTRYPOINT ["python", "-m", "telephony"]
CMD ["serve", "--host", "0.0.0.0"]
