"""What every refusal must look like."""

from httpx2 import Response

MEMBERS = {"type", "title", "status", "detail", "code", "instance"}


def assert_problem(answer: Response, *statuses: int, secret: str | None = None) -> None:
    """Fail unless the answer is a problem document (RFC 9457) with one of the statuses, silent about the secret."""
    seen = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code in statuses, seen
    assert answer.headers["content-type"] == "application/problem+json", seen
    body = answer.json()
    assert body.keys() >= MEMBERS, seen
    assert body["status"] == answer.status_code, seen
    assert body["instance"] == answer.headers["x-request-id"], seen
    if secret is not None:
        assert secret not in answer.text, seen
        assert secret not in str(answer.headers), seen


def assert_challenged(answer: Response) -> None:
    """Fail unless the answer is a 401 that asks for a bearer token (RFC 6750, section 3)."""
    assert_problem(answer, 401)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer "), challenge


def named_fields(answer: Response) -> set[str]:
    """Return the fields that a problem document names."""
    return {error["field"] for error in answer.json().get("errors", [])}
