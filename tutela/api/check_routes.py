"""The route that checks links and words."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field, StringConstraints, ValidationError
from pydantic_core import to_json

from tutela.api.keys import Scope
from tutela.api.models import ContextIn, Strict, VerdictOut
from tutela.api.problems import refuse_unknown_parameters
from tutela.api.security import KeyAdmission, needs
from tutela.deployment.composition import Deployment
from tutela.deployment.metrics import count_verdict
from tutela.screening.check import CheckAnswer, CheckQuestion, Purpose
from tutela.screening.check.deterrence import Deterrence
from tutela.screening.verdict import Context

_MAX_LANGUAGES = 1_000
Url = Annotated[str, StringConstraints(max_length=16_384)]


class CheckIn(Strict):
    """Links and text that belong together, and what they are for."""

    urls: list[Url] = Field(default_factory=list, max_length=1_000, examples=[["https://example.org/page"]])
    text: str = Field(default="", max_length=1_000_000, description="Links in it are found in all their disguises.")
    purpose: Purpose = Field(default=Purpose.POST, description="post, chat or search.")
    country: Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$")] | None = Field(
        default=None, description="ISO 3166-1 code of where a search comes from, for the help that is shown."
    )
    context: ContextIn | None = None


class HelpOut(BaseModel):
    """Somebody who helps."""

    name: str
    reach: str
    site: str
    note: str


class DeterrenceOut(BaseModel):
    """What is shown in place of results."""

    language: str
    title: str
    text: str
    help: list[HelpOut]

    @classmethod
    def of(cls, deterrence: Deterrence) -> "DeterrenceOut":
        """As it is answered."""
        return cls(
            language=deterrence.language,
            title=deterrence.title,
            text=deterrence.text,
            help=[HelpOut(name=one.name, reach=one.reach, site=one.site, note=one.note) for one in deterrence.help],
        )


class CheckOut(BaseModel):
    """The verdict; for a search also what to do."""

    answer: Literal["allow", "hold", "block", "deter"] = Field(
        description="The verdict's decision; `deter` for a search that is answered with help in place of results."
    )
    verdict: VerdictOut
    deterrence: DeterrenceOut | None = None


class _CheckRoute(APIRoute):
    """Checks key and body and calls the endpoint, without the framework's solving of dependencies.

    A platform asks once for each message: what the framework does around it takes ten times as long as the look-up.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        admitted = KeyAdmission(Scope.SCREEN)

        async def handle(request: Request) -> Response:
            actor = await admitted(request)
            refuse_unknown_parameters(request)
            body, languages = await _read(request), request.headers.get("accept-language", "")
            if len(languages) > _MAX_LANGUAGES:
                said = f"String should have at most {_MAX_LANGUAGES} characters"
                raise _invalid(("header", "accept-language"), said)
            # Most questions take less time than to have another thread answer them.
            deployment: Deployment = request.app.state.deployment
            answer = deployment.checker.check_at_once(_question(body), _context(body))
            if answer is not None:
                return _answered(request, body, languages, answer)
            response: Response = await run_in_threadpool(self.endpoint, request, body, actor, languages)
            return response

        return handle


async def _read(request: Request) -> CheckIn:
    """The body. Raises RequestValidationError."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise _invalid(("body",), "Input should be JSON, with a Content-Type that says so")
    try:
        return CheckIn.model_validate_json(await request.body())
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**item, "loc": ("body", *item["loc"])} for item in found]) from None


def _invalid(where: tuple[str, ...], what: str) -> RequestValidationError:
    return RequestValidationError([{"loc": where, "msg": what, "type": "value_error"}])


router = APIRouter(prefix="/v1", tags=["screening"], route_class=_CheckRoute)


@router.post("/check", operation_id="check", response_model=CheckOut)
def check(
    request: Request,
    body: CheckIn,
    _: Annotated[str, needs(Scope.SCREEN)],
    accept_language: Annotated[str, Header(max_length=_MAX_LANGUAGES)] = "",
) -> Response:
    """Check links and words before they are posted or sent, or a search before it is answered."""
    deployment: Deployment = request.app.state.deployment
    return _answered(request, body, accept_language, deployment.checker.check(_question(body), _context(body)))


def _question(body: CheckIn) -> CheckQuestion:
    return CheckQuestion(body.text, tuple(body.urls), body.purpose)


def _context(body: CheckIn) -> Context | None:
    return Context(body.context.item, body.context.details) if body.context else None


def _answered(request: Request, body: CheckIn, accept_language: str, answer: CheckAnswer) -> Response:
    """The answer as `CheckOut` describes it, counted and named to the log."""
    count_verdict(answer.verdict)
    request.scope["tutela.verdict"] = answer.verdict.id
    request.scope["tutela.decision"] = answer.verdict.decision.value
    document: dict[str, object] = {
        "answer": answer.verdict.decision.value,
        "verdict": answer.verdict.document(),
        "deterrence": None,
    }
    if answer.deters:
        languages = [item.split(";")[0].strip() for item in accept_language.split(",")]
        deployment: Deployment = request.app.state.deployment
        shown = deployment.deterrences.of(languages, body.country)
        document |= {"answer": "deter", "deterrence": DeterrenceOut.of(shown)}
    return Response(to_json(document), media_type="application/json")
