"""A page of search results that offers help in place of results where known material is searched for.

    TUTELA_URL=http://127.0.0.1:8080 TUTELA_KEY=tutela_… python app.py

The standard library alone. The page has no script and no cookie and loads nothing. What was searched for is written
down neither here nor by the service. Where the service does not answer, no results are shown.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from html import escape
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

TIMEOUT_S = 5.0
MAX_QUERY = 1_000
NOT_NOW = {"en": "Searching is not possible now.", "de": "Die Suche ist gerade nicht möglich."}
HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
)
PAGE = """<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>body {{ font: 1.1rem/1.5 sans-serif; max-width: 40rem; margin: 2rem auto }}
input {{ font: inherit; width: 100% }}</style></head>
<body><main><form role="search"><label>{title}<input name="q" maxlength="1000"></label></form>
{content}</main></body></html>
"""

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


def ask(query: str, languages: str, country: str) -> dict[str, Any] | None:
    """What the service answers to a search; None where it does not answer."""
    question = {"text": query, "purpose": "search", **({"country": country} if country else {})}
    headers = {
        "Authorization": f"Bearer {os.environ['TUTELA_KEY']}",
        "Content-Type": "application/json",
        "Accept-Language": languages[:1_000],
    }
    asked = urllib.request.Request(f"{os.environ['TUTELA_URL']}/v1/check", json.dumps(question).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError):  # an answer that says no is an OSError, too
        return None


def results(query: str) -> str:
    """In your application: what you found."""
    return f"<ol><li>A page about {escape(query)}</li></ol>"


def help_of(deterrence: dict[str, Any]) -> str:
    """The text, and everybody who helps, as the service says it."""
    lines = []
    for one in deterrence["help"]:
        ways = [f'<a href="tel:{escape(one["reach"].replace(" ", ""))}">{escape(one["reach"])}</a>'] * bool(
            one["reach"]
        )
        ways += [f'<a rel="noreferrer" href="{escape(one["site"])}">{escape(one["site"])}</a>'] * bool(one["site"])
        lines.append(f"<li><strong>{escape(one['name'])}</strong> {' '.join(ways)} {escape(one['note'])}</li>")
    return f"<h1>{escape(deterrence['title'])}</h1><p>{escape(deterrence['text'])}</p><ul>{''.join(lines)}</ul>"


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """GET /?q=WORDS: results, or help in their place."""
    query = parse_qs(environ.get("QUERY_STRING", "")).get("q", [""])[0][:MAX_QUERY]
    languages = environ.get("HTTP_ACCEPT_LANGUAGE", "")
    country = environ.get("HTTP_X_COUNTRY", "")  # in your application: where your front server sees the searcher
    language = "de" if languages.lower().startswith("de") else "en"
    status, content = HTTPStatus.OK, ""
    if query:
        match ask(query, languages, country):
            case {"answer": "allow"}:
                content = results(query)
            case {"answer": "deter", "deterrence": deterrence}:
                language, content = deterrence["language"], help_of(deterrence)
            case _:
                status, content = HTTPStatus.SERVICE_UNAVAILABLE, f"<p>{NOT_NOW[language]}</p>"
    start_response(f"{status.value} {status.phrase}", list(HEADERS))
    title = "Suche" if language == "de" else "Search"
    return [PAGE.format(language=language, title=title, content=content).encode()]


class Silent(WSGIRequestHandler):
    """Its log would hold what people search for."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """Browsers open connections that they may not use; these keep nobody waiting."""

    daemon_threads = True


if __name__ == "__main__":
    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), application, Server, Silent).serve_forever()
