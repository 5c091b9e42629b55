"""`GATEPOST_TELEMETRY=true`: traces arrive at the collector, and hold no secret."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.make import PASSWORD
from tests.processes import serving


@contextmanager
def collector() -> Generator[tuple[str, list[bytes]]]:
    """Run what takes OTLP over HTTP; yield its URL and all that it was sent."""
    taken: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.path == "/v1/traces":
                taken.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name that it has there
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_v16_2_5_traces_arrive_and_hold_no_secret(tmp_path: Path) -> None:
    with collector() as (url, taken):
        settings = {
            "GATEPOST_TELEMETRY": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
        }
        with serving(tmp_path, settings) as server, httpx2.Client(base_url=server.url) as client:
            client.post("/users/", json={"email": "ada@example.com", "password": PASSWORD})
            form = {"username": "ada@example.com", "password": PASSWORD}
            token = client.post("/users/token", data=form).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}", "Cookie": "session=canary-cookie"}
            assert client.get("/users/me", headers=headers).status_code == 200
            for path in ("/users/me", f"/users/{token}", f"/{token}", "/users/ada%40example.com"):
                client.get(path, params={"access_token": token}, headers=headers)
            # The veil is for others: the service itself reads what was asked.
            assert client.get("/users/", params={"limit": "none"}, headers=headers).status_code in {403, 422}
        # What is left is sent at the end.
        assert server.stop() == 0

    spans = [
        span
        for body in taken
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert {"POST /users/", "POST /users/token", "GET /users/me"} <= {span.name for span in spans}
    for secret in (PASSWORD, token, "canary-cookie", "ada@example.com", "ada%40example.com"):
        assert not any(secret.encode() in body for body in taken)
