"""Links: one form for one page, found in every disguise, and no other page of the same host."""

import hashlib
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.effort import effort
from tutela import _native
from tutela.content.links import find_links, link_samples, parse_link
from tutela.content.signals.registry import signal_type
from tutela.errors import InvalidSignalError

# Of "URLs and Hashing" of Safe Browsing's documentation, section "Canonicalization"; the expected texts less scheme.
CANONICAL = [
    ("http://host/%25%32%35", "host/%25"),
    ("http://host/%25%32%35%25%32%35", "host/%25%25"),
    ("http://host/%2525252525252525", "host/%25"),
    ("http://host/asdf%25%32%35asd", "host/asdf%25asd"),
    ("http://host/%%%25%32%35asd%%", "host/%25%25%25asd%25%25"),
    ("http://www.google.com/", "www.google.com/"),
    (
        "http://%31%36%38%2e%31%38%38%2e%39%39%2e%32%36/%2E%73%65%63%75%72%65/%77%77%77%2E%65%62%61%79%2E%63%6F%6D/",
        "168.188.99.26/.secure/www.ebay.com/",
    ),
    (
        "http://host%23.com/%257Ea%2521b%2540c%2523d%2524e%25f%255E00%252611%252A22%252833%252944_55%252B",
        "host%23.com/~a!b@c%23d$e%25f^00&11*22(33)44_55+",
    ),
    ("http://3279880203/blah", "195.127.0.11/blah"),
    ("http://www.google.com/blah/..", "www.google.com/"),
    ("www.google.com/", "www.google.com/"),
    ("www.google.com", "www.google.com/"),
    ("http://www.evil.com/blah#frag", "www.evil.com/blah"),
    ("http://www.GOOgle.com/", "www.google.com/"),
    ("http://www.google.com.../", "www.google.com/"),
    ("http://www.google.com/foo\tbar\rbaz\n2", "www.google.com/foobarbaz2"),
    ("http://www.google.com/q?", "www.google.com/q?"),
    ("http://www.google.com/q?r?", "www.google.com/q?r?"),
    ("http://www.google.com/q?r?s", "www.google.com/q?r?s"),
    ("http://evil.com/foo#bar#baz", "evil.com/foo"),
    ("http://evil.com/foo;", "evil.com/foo;"),
    ("http://evil.com/foo?bar;", "evil.com/foo?bar;"),
    ("http://notrailingslash.com", "notrailingslash.com/"),
    ("http://www.gotaport.com:1234/", "www.gotaport.com/"),
    ("  http://www.google.com/  ", "www.google.com/"),
    ("http:// leadingspace.com/", "%20leadingspace.com/"),
    ("http://%20leadingspace.com/", "%20leadingspace.com/"),
    ("https://www.securesite.com/", "www.securesite.com/"),
    ("http://host.com/ab%23cd", "host.com/ab%23cd"),
    ("http://host.com//twoslashes?more//slashes", "host.com/twoslashes?more//slashes"),
    ("http://[2001:0db8:0000::1]/", "[2001:db8::1]/"),
    ("http://[::ffff:1.2.3.4]/", "1.2.3.4/"),
    ("http://[64:ff9b::1.2.3.4]/", "1.2.3.4/"),
]

# As browsers read them: WHATWG URL, and its tests of hosts.
AS_BROWSERS = [
    ("http://ⓔxample。org/a", "example.org/a"),
    ("http://0x7f.1/", "127.0.0.1/"),
    ("http://2130706433/", "127.0.0.1/"),
    ("http://0177.0.0.01/", "127.0.0.1/"),
    ("http://example.org\\@127.0.0.1/", "example.org/@127.0.0.1/"),
    ("http:example.org/a", "example.org/a"),
    ("http:///example.org/a", "example.org/a"),
    ("http:\\\\example.org\\a", "example.org/a"),
    ("http://user:pass@example.org:8080/a", "example.org/a"),
    ("http://a@b@example.org/", "example.org/"),
    ("http://b\u00fccher.example/x", "xn--bcher-kva.example/x"),
    ("http://xn--bcher-kva.example/x", "xn--bcher-kva.example/x"),
    ("http://ex%61mple.org/", "example.org/"),
    ("HTTP://EXAMPLE.ORG/A", "example.org/A"),
    ("//example.org/a", "example.org/a"),
    ("example.org:8080/a", "example.org/a"),
    ("http://exa\u00admple.org/", "example.org/"),
]


@pytest.mark.parametrize(("text", "page"), CANONICAL + AS_BROWSERS)
def test_a_link_has_one_form(text, page):
    link = parse_link(text)
    assert link is not None
    assert link.page == page
    again = parse_link(link.page)
    assert again is not None
    assert again == link


@pytest.mark.parametrize(
    "text", ["", " ", "http://", "javascript:alert(1)", "mailto:a@example.org", "data:,x", "http://[:::]/"]
)
def test_what_names_no_host_is_no_link(text):
    assert parse_link(text) is None
    assert link_samples(text) == ()


def test_bytes_that_are_no_letters_keep_their_number():
    assert _native.parse_link(b"http://\x01\x80.com/") == ("%01%80.com", "/", None, False)


@given(st.text(max_size=200))
def test_any_text_is_read_without_a_fault_and_its_form_is_stable(text):
    link = parse_link(text)
    if link is not None:
        assert link.page.isascii()
        assert parse_link(link.page) == link


@given(st.binary(max_size=300))
def test_digests_are_those_of_the_standard_library(data):
    assert _native.sha256(data) == hashlib.sha256(data).digest()


def values(text: str, signal: str) -> set[bytes]:
    return {sample.value for sample in link_samples(text) if sample.signal == signal}


def test_where_two_parsers_differ_both_answers_are_looked_up():
    asked = values("http://example.org\\@other.example/", "url")
    assert signal_type("url").parse("example.org/@other.example/") in asked
    assert signal_type("url").parse("other.example/") in asked


def test_a_page_a_folder_and_a_domain_cover_what_they_say_and_nothing_else():
    page, folder, domain = (signal_type(name).parse for name in ("url", "url-tree", "domain"))
    here = "https://sub.example.org/a/b/page?x=1"
    assert {page("sub.example.org/a/b/page?x=1"), page("sub.example.org/a/b/page")} == values(here, "url")
    covering = {folder(f"sub.example.org/{path}") for path in ("", "a/", "a/b/")}
    assert covering == values(here, "url-tree")
    assert {domain("sub.example.org"), domain("example.org")} == values(here, "domain")
    assert page("example.org/") not in values("https://example.org/other", "url")
    assert folder("example.org/a/") not in values("https://www.example.org/a/x", "url-tree")
    assert values("http://192.0.2.1/x", "domain") == {domain("192.0.2.1")}


@pytest.mark.parametrize(
    ("signal", "text", "why"),
    [
        ("domain", "example.org/page", "is a page, not a domain"),
        ("domain", "*.example.org", "covers itself"),
        ("domain", "org", "single label"),
        ("url-tree", "example.org/page", "a folder ends with"),
        ("url", "mailto:a@example.org", "is not a link"),
        ("url", "example.org/a?b=1 keys=c", "must have each of c once"),
        ("url", "example.org/a keys=c", "must have each of c once"),
        ("url", "example.org/a?b=1&b=2 keys=b", "must have each of b once"),
        ("url", "example.org/a?b=1 keys=", "does not name the parameters"),
        ("url", "example.org/a?a&b&c&d&e keys=a,b,c,d,e", "one to 4 names"),
    ],
)
def test_nothing_turns_one_type_into_another(signal, text, why):
    with pytest.raises(InvalidSignalError, match=why):
        signal_type(signal).parse(text)


def test_a_list_may_come_hashed():
    for name in ("url", "url-tree", "domain"):
        kind = signal_type(name)
        value = kind.parse("example.org")
        assert kind.parse(kind.format(value)) == value
        assert kind.parse(kind.format(value).upper()) == value
    assert signal_type("domain").parse("EXAMPLE.org.") == hashlib.sha256(b"example.org").digest()


ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
PAGES = [f"host{number}.example/area{number % 7}/page{number}.html" for number in range(100)]


def spelled(page: str, rng: random.Random) -> str:
    """The page in one of the ways in which people write links past filters."""
    host, _, path = page.partition("/")
    wide = str.maketrans({letter: chr(ord(letter) + 0xFEE0) for letter in string.ascii_lowercase + string.digits})
    circled = str.maketrans({letter: chr(0x24D0 + i) for i, letter in enumerate(string.ascii_lowercase)})
    dotted = rng.choice([".", "[.]", "(.)", "{.}", "[dot]", "(dot)", " dot ", "。", "．", " . ", " [.] "])
    how = rng.randrange(11)
    if how == 0:
        return f"{rng.choice(['http', 'https', 'hxxp', 'hxxps', 'h**p', 'HTTP'])}://{host}/{path}"
    if how == 1:
        return page.replace(".", dotted, 1) if "dot" not in dotted else f"{host.replace('.', dotted)}/{path}"
    if how == 2:
        at = rng.randrange(1, len(host))
        return f"https://{host[:at]}{rng.choice(ZERO_WIDTH)}{host[at:]}/{path}"
    if how == 3:
        return f"http://{host.translate(wide)}/{path}"
    if how == 4:
        return f"http://{host.translate(circled)}/{path}"
    if how == 5:
        return f"http://{''.join(f'%{ord(c):02x}' if rng.random() < 0.5 else c for c in host)}/{path}"
    if how == 6:
        return f"http://{host}/{''.join(f'%{ord(c):02X}' if rng.random() < 0.5 else c for c in path)}"
    if how == 7:
        return f"http://u:p@{host.upper()}.:8080/./x/..//{path}#{rng.random()}"
    if how == 8:
        return " ".join(page)
    if how == 9:
        return f"http:\\\\{host}\\{path.replace('/', chr(92))}"
    return f"{rng.choice(['hxxp[:]//', 'http[:]//', 'http:// ', 'h t t p :// '])}{host}/{path}"


def test_random_spellings_of_listed_pages_are_all_found():
    rng = random.Random(15)
    missed = []
    for _ in range(effort(1_500, 10_000)):
        page = rng.choice(PAGES)
        before, after = rng.choice(["now", "", "ok?"]), rng.choice(["", ".", ")", "!"])
        text = f"look here {spelled(page, rng)} {before}".rstrip() + after
        wanted = signal_type("url").parse(page)
        if not any(wanted in values(link.url, "url") for link in find_links(text)):
            missed.append(text)
    assert missed == []


def test_other_pages_of_the_same_hosts_are_never_found():
    listed = {signal_type("url").parse(page) for page in PAGES}
    for number in range(effort(20_000, 1_000_000)):
        host = f"host{number % 100}.example"
        url = f"https://{host}/area{number % 7}/page{number % 100}.html{number}" if number % 2 else f"{host}/{number}/"
        found = _native.look_up_link(url.encode())
        assert isinstance(found, tuple)
        pages = found[0]
        assert not any(pages[at : at + 32] in listed for at in range(0, len(pages), 32)), url


def test_a_link_says_where_it_begins():
    text = "one example.org/a and hxxps[:]//example[.]net/b."
    places = {link.url: link.at for link in find_links(text)}
    assert places["example.org/a"] == text.index("example.org")
    assert places["https://example.net/b"] == text.index("hxxps")


def test_hostile_texts_end_soon_and_within_the_limit():
    for text in ("." * 100_000, "a." * 50_000, "http://" * 20_000, "x" * 200_000, "[" * 100_000, " dot " * 20_000):
        assert len(find_links(text)) <= 2_000
