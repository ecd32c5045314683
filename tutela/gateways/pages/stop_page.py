"""The stop page as HTML: who blocks, why, a reference number, help first, an appeal in two fields.

One file of plain HTML with its style in it: no script, no cookie, nothing loaded from elsewhere.
"""

from collections.abc import Mapping, Sequence
from html import escape

from tutela.casework.appeals import AppealReceipt
from tutela.gateways.pages.options import StopPageOptions
from tutela.gateways.pages.texts import Texts, languages_of, texts_for
from tutela.screening.check.deterrence import Deterrences, Help

APPEAL_PATH = "/appeal"
HELP_PATH = "/help/"
_STYLE = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;font:1.0625rem/1.55 system-ui,sans-serif;background:#f4f5f7;color:#1c2330}
main{max-width:42rem;margin:0 auto;padding:clamp(1rem,4vw,3rem) clamp(1rem,4vw,2rem) 3rem}
h1{font-size:clamp(1.5rem,4vw,2rem);line-height:1.2;margin:0 0 1rem}
h2{font-size:1.2rem;margin:0 0 .5rem}
section{background:#fff;border:1px solid #d5d9e0;border-radius:.75rem;padding:1.1rem 1.3rem;margin:0 0 1rem}
.help{border-inline-start:.4rem solid #1d6b52}
ul{list-style:none;margin:.75rem 0 0;padding:0}
li{padding:.6rem 0;border-top:1px solid #e4e7ec}
li strong{display:block}
.reach{font-size:1.15rem;font-weight:600;white-space:nowrap}
a{color:#0b5cad;overflow-wrap:anywhere}
code{font:600 1.05rem/1.4 ui-monospace,monospace;white-space:nowrap}
label{display:block;font-weight:600;margin:.9rem 0 .3rem}
textarea,input{width:100%;font:inherit;padding:.6rem;border:1px solid
#6b7586;border-radius:.5rem;background:#fff;color:inherit} textarea{min-height:7rem}
button{font:inherit;font-weight:600;margin-top:1rem;min-height:2.75rem;padding:.5rem
1.2rem;border:0;border-radius:.5rem; background:#0b4f94;color:#fff;cursor:pointer}
:focus-visible{outline:3px solid #0b5cad;outline-offset:2px}
.trap{position:absolute;left:-10000px}
.quiet{color:#4a5466}
[role=alert]{font-weight:600;color:#a11212}
@media(prefers-color-scheme:dark){body{background:#12161d;color:#e8ebf0}section{background:#1b212b;border-color:#384252}
li{border-color:#2d3645}textarea,input{background:#12161d;border-color:#8b95a7}a{color:#8cc2ff}.quiet{color:#b1bac9}
.help{border-inline-start-color:#4fb58f}button{background:#2f78c4}[role=alert]{color:#ff9c9c}:focus-visible{outline-color:#8cc2ff}}
@media print{body{background:#fff}form{display:none}}
""".strip()
SAFE: Mapping[str, str] = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class StopPage:
    """Makes the pages of one operator."""

    def __init__(self, options: StopPageOptions, deterrences: Deterrences, *, takes_appeals: bool) -> None:
        self._options = options
        self._deterrences = deterrences
        self._takes_appeals = takes_appeals

    def headers(self) -> dict[str, str]:
        """The headers of every page: nothing may be loaded or stored, and forms go to us alone (RFC 7725, 3)."""
        policy = f"default-src 'none'; style-src 'unsafe-inline'; form-action {self._options.address}; base-uri 'none'"
        policy += "; frame-ancestors 'none'"
        blocked_by = {"Link": f'<{self._options.site or self._options.address}>; rel="blocked-by"'}
        return {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": policy, **SAFE, **blocked_by}

    def helpers(self) -> tuple[Help, ...]:
        """Who helps, in the order in which pages tell them."""
        return self._deterrences.of((), self._options.country or None).help

    def blocked(self, reference: str, languages: str, given: Mapping[str, str] | None = None, problem: str = "") -> str:
        """The page in place of what is blocked; with what was `given` and what was wrong with it, where it comes
        again."""
        texts = texts_for(languages_of(languages))
        parts = [f"<h1>{escape(texts.title)}</h1>", self._help(texts), self._why(texts, reference)]
        parts.append(self._appeal(texts, reference, given or {}, problem))
        return _page(texts, texts.title, parts)

    def received(self, receipt: AppealReceipt, languages: str) -> str:
        """The page after an appeal."""
        texts = texts_for(languages_of(languages))
        due = receipt.due_at.strftime("%Y-%m-%d %H:%M UTC")
        number = f"<code>{escape(receipt.id[:12])}</code>"
        said = escape(texts.received).replace("{number}", number).replace("{due}", escape(due))
        parts = [f"<h1>{escape(texts.thanks)}</h1>", f"<section><p>{said}</p></section>", self._help(texts)]
        return _page(texts, texts.thanks, parts)

    def not_now(self, languages: str) -> str:
        """The page where lists cannot be searched."""
        texts = texts_for(languages_of(languages))
        said = f"<section><p>{escape(texts.not_now_text)}</p></section>"
        return _page(texts, texts.not_now, [f"<h1>{escape(texts.not_now)}</h1>", said])

    def _help(self, texts: Texts) -> str:
        helpers = "".join(self._helper(number, help) for number, help in enumerate(self.helpers()))
        return (
            f'<section class="help" aria-labelledby="help"><h2 id="help">{escape(texts.help_title)}</h2>'
            f"<p>{escape(texts.help_text)}</p><p>{escape(texts.child)}</p><ul>{helpers}</ul></section>"
        )

    def _helper(self, number: int, help: Help) -> str:
        told = [f"<strong>{escape(help.name)}</strong>"]
        if help.reach:
            dialled = "".join(character for character in help.reach if character.isdigit() or character == "+")
            told.append(f'<a class="reach" href="tel:{dialled}">{escape(help.reach)}</a> ')
        if help.site:
            shown = help.site.partition("://")[2].rstrip("/")
            told.append(f'<a href="{escape(self._options.address)}{HELP_PATH}{number}">{escape(shown)}</a> ')
        if help.note:
            told.append(f'<span class="quiet">{escape(help.note)}</span>')
        return f"<li>{''.join(told)}</li>"

    def _why(self, texts: Texts, reference: str) -> str:
        options = self._options
        facts = [f"<p>{escape(texts.why)}</p>", f"<p>{escape(texts.nobody)}</p>"]
        if options.organisation:
            who = f"<strong>{escape(options.organisation)}</strong>"
            facts.append(f"<p>{escape(texts.who).replace('{organisation}', who)}</p>")
        if options.ground:
            facts.append(f"<p>{escape(texts.ground)}: {escape(options.ground)}</p>")
        if reference:
            facts.append(f"<p>{escape(texts.reference)}: <code>{escape(reference)}</code></p>")
        return f'<section aria-labelledby="why"><h2 id="why">{escape(texts.why_title)}</h2>{"".join(facts)}</section>'

    def _appeal(self, texts: Texts, reference: str, given: Mapping[str, str], problem: str) -> str:
        if not reference:
            return ""
        head = f'<h2 id="appeal">{escape(texts.appeal_title)}</h2>'
        other = ""
        if self._options.contact:
            mail = f'<a href="mailto:{escape(self._options.contact)}">{escape(self._options.contact)}</a>'
            other = f'<p class="quiet">{escape(texts.elsewhere).replace("{contact}", mail)}</p>'
        if not self._takes_appeals:
            return f'<section aria-labelledby="appeal">{head}{other}</section>' if other else ""
        alert = f'<p role="alert">{escape(problem)}</p>' if problem else ""
        text, contact = escape(given.get("text", "")), escape(given.get("contact", ""))
        return (
            f'<section aria-labelledby="appeal">{head}<p>{escape(texts.appeal)}</p>{alert}'
            f'<form method="post" action="{escape(self._options.address)}{APPEAL_PATH}" accept-charset="utf-8">'
            f'<input type="hidden" name="reference" value="{escape(reference)}">'
            f'<label for="text">{escape(texts.reason_label)}</label>'
            f'<textarea id="text" name="text" required maxlength="5000" autocomplete="off">{text}</textarea>'
            f'<label for="contact">{escape(texts.contact_label)}</label>'
            f'<input id="contact" name="contact" type="email" maxlength="255" autocomplete="email" value="{contact}">'
            '<div class="trap" aria-hidden="true"><label for="website">-</label>'
            '<input id="website" name="website" tabindex="-1" autocomplete="off"></div>'
            f"<button>{escape(texts.send)}</button></form>{other}</section>"
        )


def _page(texts: Texts, title: str, parts: Sequence[str]) -> str:
    return (
        f'<!doctype html>\n<html lang="{texts.code}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main></body></html>\n"
    )
