"""A small OpenID Connect provider that speaks the real protocol: discovery, keys, authorization with PKCE, signed tokens.

It lets in whoever comes, as the person its `claims` describe; `test_oidc` lets Threadline sign people in by its word.
"""

import base64
import hashlib
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "threadline", "a secret between the two"


class Provider(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.claims: dict[str, Any] = {"sub": "1"}
        self.refuses = False
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, format: str, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.say(self.described())
        elif parts.path == "/jwks":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.server.key.public_key()))
            self.say({"keys": [public | {"kid": "1", "use": "sig", "alg": "RS256"}]})
        elif parts.path == "/authorize":
            self.authorize(asked)
        elif parts.path == "/userinfo":
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            self.say(
                self.server.claims if token in self.server.tokens else {},
                200 if token in self.server.tokens else 401,
            )
        else:
            self.say({}, 404)

    def described(self) -> dict[str, Any]:
        here = self.server.url
        return {
            "issuer": here,
            "authorization_endpoint": f"{here}/authorize",
            "token_endpoint": f"{here}/token",
            "userinfo_endpoint": f"{here}/userinfo",
            "jwks_uri": f"{here}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def authorize(self, asked: dict[str, str]) -> None:
        fit = asked.get("client_id") == CLIENT and asked.get("code_challenge_method") == "S256"
        if not fit or "openid" not in asked.get("scope", ""):
            self.say({"error": "invalid_request"}, 400)
            return
        back = {"state": asked["state"]}
        if self.server.refuses:
            back["error"] = "access_denied"
        else:
            back["code"] = secrets.token_urlsafe(16)
            self.server.codes[back["code"]] = asked
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.end_headers()

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        told = self.server.codes.pop(form.get("code", [""])[0], None)
        if told is None or not self.is_client() or not proves(form.get("code_verifier", [""])[0], told):
            self.say({"error": "invalid_grant"}, 400)
            return
        token, now = secrets.token_urlsafe(16), int(time.time())
        self.server.tokens.add(token)
        about = {"iss": self.server.url, "aud": CLIENT, "iat": now, "exp": now + 60}
        signed = jwt.encode(self.server.claims | about, self.server.key, "RS256", {"kid": "1"})
        self.say({"access_token": token, "token_type": "Bearer", "expires_in": 60, "id_token": signed})

    def is_client(self) -> bool:
        expected = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def say(self, told: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def proves(verifier: str, told: dict[str, str]) -> bool:
    """Whether who brings the code is who asked for it (RFC 7636)."""
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return made == told["code_challenge"]
