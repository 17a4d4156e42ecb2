"""Validates an unpacked bundle as a Provenance Run Crate, by PyPI's roc-validator, without a network.

Usage: python tests/crates/validate.py FOLDER [PROFILE]
Needs: pip install roc-validator rocrate==0.10.0 (which has the JSON-LD context of RO-Crate 1.1)
"""

import io
import sys
import urllib.request
from importlib.resources import files

import requests

CONTEXT = files("rocrate").joinpath("data/ro-crate.jsonld").read_bytes()
fetch = urllib.request.OpenerDirector.open


class Response(io.BytesIO):
    """The context, as if it came from its address."""

    status = code = 200
    url = "https://w3id.org/ro/crate/1.1/context"

    def info(self):
        from email.message import Message

        headers = Message()
        headers["Content-Type"] = "application/ld+json"
        return headers

    headers = property(info)

    def geturl(self):
        return self.url

    def getcode(self):
        return 200


def offline(self, request, *args, **kwargs):
    url = request if isinstance(request, str) else request.full_url
    if "/ro/crate/1.1/context" in url:
        return Response(CONTEXT)
    return fetch(self, request, *args, **kwargs)


urllib.request.OpenerDirector.open = offline
send = requests.Session.request


def send_offline(self, method, url, *args, **kwargs):
    if "/ro/crate/1.1/context" in url:
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = 200, CONTEXT, url
        answer.headers["Content-Type"] = "application/ld+json"
        return answer
    return send(self, method, url, *args, **kwargs)


requests.Session.request = send_offline

from rocrate_validator import models, services  # noqa: E402

profile = sys.argv[2] if len(sys.argv) > 2 else "provenance-run-crate"
result = services.validate(
    services.ValidationSettings(
        rocrate_uri=sys.argv[1],
        profile_identifier=profile,
        requirement_severity=models.Severity.REQUIRED,
    )
)
for issue in result.get_issues():
    print(f"{issue.severity.name} {issue.check.identifier}: {issue.message}")
print(f"{profile}: {'passed' if not result.has_issues() else 'failed'}")
sys.exit(result.has_issues())
