# Image of the service and of rerank-cli.   docker build -t rerank .
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 rerank
WORKDIR /app

COPY constraints.txt setup.cfg pyproject.toml README.md LICENSE NOTICE ./
COPY core core
COPY index index
COPY models models
COPY ingest ingest
COPY service service
COPY cli cli
COPY rerank rerank
RUN pip install --no-cache-dir --constraint constraints.txt .

USER rerank
WORKDIR /home/rerank
# Converts the models at build time, so that containers start fast. On another processor they are converted at the start.
RUN rerank-cli models convert
ENV RERANK_HOST=0.0.0.0 RERANK_PORT=8000
EXPOSE 8000

HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)"]

ENTRYPOINT ["rerank-cli"]
CMD ["serve"]
