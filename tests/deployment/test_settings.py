"""The settings: one file, the environment over it, and an answer for every fault that says where it is."""

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from tests.support.pictures import draw_scene, file_of
from tutela.api.options import ServiceOptions
from tutela.casework.cases.options import EvidenceOptions
from tutela.casework.cases.outcomes import Effect, Outcome
from tutela.cli.commands import app
from tutela.cli.state import CommandState
from tutela.console.options import ConsoleOptions
from tutela.console.roles import Role
from tutela.content.media.limits import Limits
from tutela.content.views.view_set import ViewSet
from tutela.deployment.settings import Settings, SettingsError, default_home, load_settings
from tutela.deployment.settings import source as sources
from tutela.deployment.settings.check import check_settings
from tutela.deployment.settings.doors import Chosen
from tutela.deployment.settings.keys import ANY_NAME, Key, is_section, keys_of, summary_of, value_kind, without_none
from tutela.deployment.settings.model import root_keys
from tutela.deployment.settings.moved import MOVED_VARIABLES
from tutela.deployment.settings.service import OTHER_VARIABLES, variables
from tutela.deployment.settings.source import SettingsFile, variable_of
from tutela.deployment.settings.template import template
from tutela.errors import InputError
from tutela.foundation.options import Secret
from tutela.screening.decision import Decision
from tutela.screening.options import VideoRule


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any setting, and no file of the system's."""
    for name in list(os.environ):
        if name.startswith(("TUTELA_", "XDG_DATA_HOME")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setattr(sources, "SYSTEM_FILE", tmp_path / "etc" / "tutela.toml")
    monkeypatch.setattr("tutela.deployment.settings.service.SYSTEM_FILE", tmp_path / "etc" / "tutela.toml")
    return monkeypatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a settings file of the home lies."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "tutela.toml"


def load(file: Path, text: str, **environment: str) -> Settings:
    file.write_text(text)
    return load_settings(config=file, environment=environment)


def faults(file: Path, text: str, **environment: str) -> list[str]:
    """What is said of wrong settings, a line each, without the file's name."""
    with pytest.raises(InputError) as raised:
        load(file, text, **environment)
    return str(raised.value).replace(str(file), "F").split("\n")


# --- what is read


def test_a_small_site_needs_no_file(tmp_path, bare):
    settings = load_settings(environment={})
    assert settings.home == default_home() == tmp_path / "user" / ".local" / "share" / "tutela"
    assert (settings.database, settings.evidence, settings.mail, settings.file) == (None, None, None, None)
    assert settings.limits == Limits()
    assert settings.door(ServiceOptions) == ServiceOptions()
    assert settings.door(ConsoleOptions) == ConsoleOptions()
    bare.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_home() == load_settings().home == tmp_path / "data" / "tutela"
    bare.setenv("XDG_DATA_HOME", "")  # is unset, says the XDG specification
    assert default_home() == tmp_path / "user" / ".local" / "share" / "tutela"


def test_a_file_says_what_each_room_does(file):
    settings = load(
        file,
        """
        decoders = 3
        [limits]
        max_bytes = 1_000
        views = "plain"
        [screening]
        overrides = { unknown-type = "allow", damaged = "block" }
        video.min_run_s = 4
        [jobs]
        timeout_s = 2.5
        [webhooks.platform]
        url = "https://platform.example/hook"
        secrets = ["env:HOOK"]
        events = ["case.decided"]
        [evidence]
        recipients = ["age1x"]
        options = { region = "eu" }
        secrets = { secret_access_key = "file:s3.txt" }
        [cases]
        allow_bank = "false-ones"
        [cases.default.on_outcome]
        confirm = ["lock"]
        [cases.banks.strict]
        second_opinion = ["confirm"]
        [cases.retention]
        reported_days = 400
        [reports]
        user = "esp"
        password = "env:NCMEC_PASSWORD"
        organisation.name = "A Company"
        [mail]
        host = "localhost"
        sender = "t@site.example"
        security = "none"
        [service]
        rate = "5/minute"
        workers = 2
        [console]
        origin = "https://console.example/"
        sessions.idle_s = 60
        [console.oidc]
        issuer = "https://id.example"
        client_id = "tutela"
        client_secret = "env:OIDC"
        roles = { review = ["reviewer", "lead"] }
        """,
    )
    assert (settings.home, settings.decoders) == (file.parent, 3)
    assert settings.limits == Limits(max_bytes=1000, views=ViewSet.PLAIN)
    assert settings.screening.overrides == {"unknown-type": Decision.ALLOW, "damaged": Decision.BLOCK}
    assert settings.screening.video == VideoRule(min_run_s=4.0)
    assert settings.jobs.timeout_s == 2.5
    assert settings.webhooks["platform"].events == {"case.decided"}
    evidence = EvidenceOptions(
        ("age1x",), None, {"region": "eu"}, {"secret_access_key": Secret(f"file:{file.parent}/s3.txt")}
    )
    assert settings.evidence == evidence
    assert settings.cases.on_outcome(["known"], Outcome.CONFIRM) == (Effect.LOCK,)
    assert settings.cases.needs_second(["strict"], Outcome.CONFIRM)
    with pytest.raises(InputError, match=r"webhooks\.platform\.secrets\.0: env:HOOK is empty or not set"):
        _ = settings.casework
    assert settings.cases.retention.reported.days == 400
    assert settings.reports.organisation is not None
    assert settings.door(ServiceOptions).of_a_process().rate == "2/minute"
    console = settings.door(ConsoleOptions)
    assert (console.origin, console.sessions.idle_s) == ("https://console.example", 60)
    assert console.oidc is not None
    assert console.oidc.roles == {"review": (Role.REVIEWER, Role.LEAD)}


def test_the_file_is_the_named_one_or_the_homes_or_the_systems(tmp_path, file, bare):
    system, named = tmp_path / "etc" / "tutela.toml", tmp_path / "named.toml"
    system.parent.mkdir()
    for path, decoders in ((system, 1), (file, 2), (named, 3)):
        path.write_text(f"decoders = {decoders}\n")
    assert load_settings(environment={}).decoders == 1
    assert load_settings(environment={"TUTELA_HOME": str(file.parent)}).decoders == 2
    assert load_settings(environment={"TUTELA_HOME": str(file.parent), "TUTELA_CONFIG": str(named)}).decoders == 3
    assert load_settings(config=file, environment={"TUTELA_CONFIG": str(named)}).decoders == 2
    assert load_settings(environment={}).home == default_home(), "what the system's file lies in is no home"
    with pytest.raises(InputError, match=r"nothing\.toml cannot be read"):
        load_settings(config=tmp_path / "nothing.toml", environment={})


def test_paths_of_a_file_are_beside_it_and_those_of_the_shell_where_the_shell_is(file, bare, tmp_path):
    bare.chdir(tmp_path)
    text = 'audit.key = "audit.key"\nconsole.identity = "~/review.txt"\nhome = "data"\n'
    settings = load(file, text, TUTELA_AUDIT__KEY="mine.key")
    assert settings.audit.key == Path("mine.key")
    assert settings.door(ConsoleOptions).identity == tmp_path / "user" / "review.txt"
    assert settings.home == file.parent / "data"


def test_the_environment_is_over_the_file_and_options_are_over_both(file, tmp_path):
    text = 'home = "a"\n[limits]\nmax_bytes = 1\nmax_parts = 2\nmax_depth = 3\n'
    environment = {"TUTELA_LIMITS": '{"max_parts": 4}', "TUTELA_LIMITS__MAX_DEPTH": "5", "TUTELA_HOME": "b"}
    assert load(file, text, TUTELA_LIMITS__MAX_PARTS="4").limits == Limits(max_bytes=1, max_parts=4, max_depth=3)
    settings = load(file, text, **environment)
    assert settings.limits == Limits(max_parts=4, max_depth=5), "a variable of a section is the whole section"
    assert settings.home == Path("b")
    file.write_text(text)
    settings = load_settings(config=file, home=tmp_path / "c", database="sqlite:///c.db", environment=environment)
    assert (settings.home, settings.database_text) == (tmp_path / "c", "sqlite:///c.db")


def test_an_empty_variable_is_not_set(file):
    assert load(file, "decoders = 3\n", TUTELA_DECODERS="", TUTELA_EVIDENCE="").decoders == 3


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("1", True), ("0", False)])
def test_a_truth_value_is_written_as_shells_do(text, value):
    settings = load_settings(environment={"TUTELA_SERVICE__AUTH_REQUIRED": text})
    assert settings.door(ServiceOptions).auth_required is value


def leaves(keys: Mapping[str, Key], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Key]]:
    """Every key that has no keys of its own."""
    for name, key in keys.items():
        kind = without_none(key.kind)
        inner = without_none(value_kind(kind)) if value_kind(kind) is not None else None
        if is_section(kind):
            yield from leaves(keys_of(kind), (*path, name))
        elif is_section(inner):
            yield from leaves(keys_of(inner), (*path, name, ANY_NAME))
        elif inner is not Chosen:
            yield (*path, name), key


def test_every_key_is_described_and_has_a_variable():
    described = dict(leaves(root_keys()))
    assert len(described) > 60
    assert [path for path, key in described.items() if not key.description] == []
    assert {variable_of(path) for path in described if ANY_NAME not in path} <= set(variables())
    assert not set(variables()) & set(MOVED_VARIABLES)
    for section in (key.kind for key in root_keys().values() if is_section(key.kind)):
        assert summary_of(section)


# --- faults


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits]\nmax_byte = 1\n", "F:2: limits.max_byte is not a key; did you mean 'max_bytes'?"),
        ("\n[limit]\nmax_bytes = 1\n", "F:2: limit is not a key; did you mean 'limits'?"),
        ("[limits]\n\n# so\nmax_bytes = 'many'\n", "F:4: limits.max_bytes must be a whole number"),
        ("limits.max_bytes = 1.5\n", "F:1: limits.max_bytes must be a whole number"),
        ("[limits]\nmax_bytes = true\n", "F:2: limits.max_bytes must be a whole number"),
        ("[limits]\nmax_bytes = 0\n", "F:2: limits.max_bytes must be greater than 0"),
        ("[limits]\ntimeout_s = '1'\n", "F:2: limits.timeout_s must be a number"),
        (
            "[limits]\nviews = 'plane'\n",
            "F:2: limits.views must be one of plain, standard, thorough, listed; did you mean 'plain'?",
        ),
        (
            "[limits]\nviews = 'listed'\n",
            "F:2: limits.views must be plain, standard or thorough: listed is for what a bank lists",
        ),
        ("limits = 3\n", "F:1: limits must be a table"),
        ("decoders = 0\n", "F:1: decoders must be greater than 0"),
        (
            "[screening]\noverrides = {\n  damaged = 'perhaps' }\n".replace("{\n ", "{"),
            "F:2: screening.overrides.damaged must be one of allow, hold, block",
        ),
        ("[screening.video]\nmin_run_frames = 1\n", "F:2: screening.video.min_run_frames must be at least 2"),
        ("[evidence]\nrecipients = 'age1x'\n", "F:2: evidence.recipients must be a list"),
        ("[mail]\nhost = 'localhost'\n", "F:1: mail.sender must be given"),
        ("[console]\norigin = 'http://far.example'\n", "F:2: console.origin must be https, or http on localhost"),
        (
            "[service]\nrate = 'often'\n",
            "F:2: service.rate must be a number and a period, such as 1000/second or 600/minute",
        ),
        (
            "[cases.banks.b]\nsecond_opinion = ['escalate']\n",
            "F:2: cases.banks.b.second_opinion must not name escalate: it is not a final outcome, and nothing can"
            " follow from it",
        ),
        (
            "[reports]\n\nat_match = [\n  'a',\n  3,\n]\n",
            "F:3: reports.at_match.1 must be a text",
        ),
        (
            "[webhooks.p]\nurl = 'http://far.example'\nsecrets = ['env:A']\n",
            "F:2: webhooks.p.url must be https; http is only for this machine's own address",
        ),
        (
            "[webhooks.p]\nurl = 'https://p.example'\nsecrets = ['whsec_Zm9v']\n",
            "F:3: webhooks.p.secrets.0 is a secret: give where it is, as env:NAME or file:path, not the secret itself",
        ),
        (
            "[evidence]\noptions = { secret_access_key = 'abc' }\n",
            "F:2: evidence.options must not have secrets in it: give secret_access_key in secrets",
        ),
        (
            "[webhooks.p]\nurl = 'https://p.example'\nsecrets = ['env:A']\nevents = ['effect.hidden']\n",
            "F:4: webhooks.p.events has no 'effect.hidden'; did you mean 'effect.hide'?",
        ),
        (
            "[screening]\noverrides = { unsuported-type = 'allow' }\n",
            "F:2: screening.overrides has no code 'unsuported-type'; did you mean 'unsupported-type'?",
        ),
        (
            "[screening]\noverrides = { match-block = 'allow' }\n",
            "F:2: screening.overrides must not name match-block: what follows from a match is said by its bank",
        ),
        (
            "[cases]\nunsealed_reasons = ['damagd']\n",
            "F:2: cases.unsealed_reasons has no code 'damagd'; did you mean 'damaged'?",
        ),
        (
            "[gateways.a]\nkind = 'clamd'\nlisten = ['127.0.0.1:1']\noverrides = { cut-shrt = 'allow' }\n",
            "F:4: gateways.a.overrides has no code 'cut-shrt'; did you mean 'cut-short'?",
        ),
        ("[service]\nhost = ''\n", "F:2: service.host must be an address; 0.0.0.0 and :: are all of this machine's"),
        (
            "[service]\nauth_required = false\nhost = '0.0.0.0'\n",
            "F:3: service.host must be this machine's own where no key is asked for",
        ),
        (
            "database = 'postgresql://u:p@h/n'\n",
            "F:1: database has a password in it: give where the URL is, as env:NAME or file:path",
        ),
        (
            "database = 'somewhere'\n",
            "F:1: database is a secret: give where it is, as env:NAME or file:path, not the secret itself",
        ),
    ],
)
def test_a_fault_says_the_file_the_line_the_key_and_the_rule(file, text, said):
    assert faults(file, text) == [said]


def test_every_fault_is_said_at_once(file):
    said = faults(file, "[limits]\nmax_bytes = 0\n[jobs]\ntimeout = 1\n", TUTELA_DECODERS="many", TUTELA_HOMES="x")
    assert said == [
        "TUTELA_HOMES is not a setting; did you mean 'TUTELA_HOME'?",
        "TUTELA_DECODERS: must be a whole number",
        "F:2: limits.max_bytes must be greater than 0",
        "F:4: jobs.timeout is not a key; did you mean 'timeout_s'?",
    ]


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("TUTELA_LIMITS__MAX_BYTES", "plenty", "TUTELA_LIMITS__MAX_BYTES: must be a whole number"),
        ("TUTELA_LIMITS__MAX_MEMORY_BYTES", "1.5", "TUTELA_LIMITS__MAX_MEMORY_BYTES: must be a whole number"),
        ("TUTELA_LIMITS__TIMEOUT_S", "0", "TUTELA_LIMITS__TIMEOUT_S: must be greater than 0"),
        ("TUTELA_SERVICE__AUTH_REQUIRED", "perhaps", "TUTELA_SERVICE__AUTH_REQUIRED: must be true or false"),
        ("TUTELA_SCREENING__OVERRIDES", "damaged=block", "TUTELA_SCREENING__OVERRIDES: must be a table"),
        ("TUTELA_SCREENING__VIDEO", '{"gap": 1}', "TUTELA_SCREENING__VIDEO: gap is not a key"),
        (
            "TUTELA_LIMIT__MAX_BYTES",
            "1",
            "TUTELA_LIMIT__MAX_BYTES is not a setting; did you mean 'TUTELA_LIMITS__MAX_BYTES'?",
        ),
        (
            "TUTELA_MAX_BYTES",
            "1",
            "TUTELA_MAX_BYTES is now TUTELA_LIMITS__MAX_BYTES, in limits.max_bytes of the settings file",
        ),
        (
            "TUTELA_CONSOLE_IDENTITY",
            "/key",
            "TUTELA_CONSOLE_IDENTITY is now TUTELA_CONSOLE__IDENTITY, in console.identity of the settings file",
        ),
        (
            "TUTELA_CASES",
            '{"retention_days": {}}',
            "TUTELA_CASES: retention_days is not a key; did you mean 'retention'?",
        ),
    ],
)
def test_a_wrong_variable_is_named(variable, text, said):
    with pytest.raises(SettingsError) as raised:
        load_settings(environment={variable: text})
    assert str(raised.value) == said


def test_what_is_no_setting_may_be_in_the_environment():
    others = ("TUTELA_KEY", "TUTELA_URL", "TUTELA_SECRET_FEED", "TUTELA_SIMD", "TUTELA_TEST_EFFORT", "OTHER")
    assert load_settings(environment=dict.fromkeys(others, "x")) == load_settings(environment={})


def test_every_variable_that_the_code_names_is_known():
    package = Path(__file__).parents[2] / "tutela"
    texts = [path.read_text() for path in package.rglob("*.py") if path.name != "moved.py"]
    named = {name for text in texts for name in re.findall(r"(?<![A-Z_])TUTELA_[A-Z_]*[A-Z]\b(?!_)", text)}
    assert len(named) > 8
    assert named - {*variables(), *OTHER_VARIABLES} == set()


@pytest.mark.parametrize("path", MOVED_VARIABLES.values(), ids=MOVED_VARIABLES)
def test_where_a_setting_moved_to_is_a_setting(path):
    keys: Any = root_keys()
    for name in path[:-1]:
        keys = keys_of(without_none(keys[name].kind))
    assert path[-1] in keys


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[limits\nmax_bytes = 1", "is not TOML: .*line 1"),
        (b"a = 1\na = 2\n", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"x = " + b"[" * 5000, "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_input(file, content, said):
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_settings(config=file, environment={})


def test_a_folder_is_no_file(file):
    file.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        load_settings(home=file.parent, environment={})


_VALUES = st.recursive(
    st.booleans() | st.integers(-3, 10**20) | st.floats() | st.text(max_size=8) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@effort(max_examples=80)
@given(st.sampled_from([path for path, _ in leaves(root_keys())]), _VALUES)
def test_no_value_of_any_key_is_our_fault(path, value):
    variable = variable_of([part.replace(ANY_NAME, "x") for part in path])
    try:
        text = json.dumps(value)
        load_settings(environment={variable: text if text.isascii() and "\0" not in text else "x"})
    except InputError as error:
        assert variable in str(error) or "must be given" in str(error)


# --- secrets


def test_a_secret_is_read_where_it_is_when_it_is_used(file, bare):
    settings = load(file, '[reports]\nuser = "esp"\npassword = "file:password.txt"\n')
    assert settings.reports.password is not None
    with pytest.raises(InputError, match=r"reports\.password: .*password\.txt cannot be read"):
        settings.reports.password.reveal()
    with pytest.raises(InputError, match=r"reports\.password"):
        check_settings(settings)
    (file.parent / "password.txt").write_text("s3cret\n")
    (file.parent / "password.txt").chmod(0o600)
    check_settings(settings)
    assert settings.reports.password.reveal() == "s3cret"


@pytest.mark.parametrize("given", ["database", "evidence", "webhooks"])
def test_no_secret_is_shown(file, given):
    text = {
        "database": "postgresql://u:s3cret@h/n",
        "evidence": '{"secrets": {"secret_access_key": "s3cret"}}',
        "webhooks": '{"p": {"url": "https://p.example", "secrets": ["s3cret"]}}',
    }[given]
    settings = load(file, "", **{f"TUTELA_{given.upper()}": text})
    shown = f"{settings!r} {settings} {dataclasses.replace(settings)} {template(settings)}"
    assert "s3cret" not in shown
    if given == "database":
        assert settings.database_text == text


# --- what is shown


def test_what_is_shown_as_defaults_is_a_file_of_defaults(file):
    text = template()
    assert load(file, text) == dataclasses.replace(load(file, ""), file=file)
    for path, key in leaves(root_keys()):
        assert f"# {path[-1]} = " in text, path
        assert key.description.split()[0] in text


def test_every_default_that_is_shown_can_be_set(file):
    """Without its #, each key that has a default is a line that changes nothing."""
    lines, active = [], True
    for line in template().splitlines():
        active = line.startswith("[") or (active and not line.startswith("# ["))
        is_key = re.match(r"# [a-z_]+ = (?!\"\"$|…|\[\]$|\{\}$)", line) and not line.startswith("# home")
        lines.append(line.removeprefix("# ") if active and is_key else line)
    assert sum(not line.startswith(("#", "[")) for line in lines if line) > 50
    assert load(file, "\n".join(lines)) == load(file, "")


@effort(max_examples=40)
@given(st.text(max_size=20), st.lists(st.text(max_size=8), max_size=3), st.integers(1, 10**12))
def test_what_is_shown_is_read_again(tmp_path_factory, text, texts, number):
    folder = tmp_path_factory.mktemp("shown")
    file, other = folder / "tutela.toml", folder / "other.toml"
    given = {"TUTELA_CASES": json.dumps({"console": text, "alarm_mail": texts}), "TUTELA_DECODERS": str(number)}
    settings = load(file, "", **given)
    other.write_text(template(settings), encoding="utf-8")
    again = load_settings(config=other, environment={})
    assert dataclasses.replace(again, file=None, home=settings.home) == dataclasses.replace(settings, file=None)


# --- lines


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a",), 2), (("t",), 4), (("t", "b"), 6), (("t", "c"), 10), (("t", "c", "d"), 10), (("t", "missing"), 4)],
)
def test_the_line_of_a_key_is_where_it_begins(file, path, line):
    file.write_text('# so\na = 1\n\n[t]\n# b\nb = """\n[t]\nc = 2\n"""\n"c" = { d = 1 }\n')
    assert SettingsFile.read(file).line_of(path) == line


# --- what they open


def test_settings_open_the_deployment_that_they_describe(bare, tmp_path):
    bare.setenv("TUTELA_LIMITS__MAX_PIXELS", "1000")
    bare.setenv("TUTELA_DECODERS", "1")
    bare.setenv("TUTELA_SCREENING", '{"overrides": {"too-many-pixels": "block"}, "video": {"min_run_frames": 5}}')
    bare.setenv("TUTELA_LIMITS__MAX_GAP_S", "1.5")
    with CommandState(tmp_path / "home", f"sqlite:///{tmp_path / 'other.db'}").deployment() as deployment:
        assert (deployment.pool.size, deployment.screener.limits.max_pixels) == (1, 1000)
        assert deployment.screener.screen(file_of(draw_scene(5, (320, 240)), "PNG")).decision is Decision.BLOCK
        assert deployment.screener.policy.video == VideoRule(min_run_frames=5)
        assert deployment.screener.limits.max_gap_s == deployment.job_screener.limits.max_gap_s == 1.5
    assert (tmp_path / "other.db").is_file()
    assert not (tmp_path / "home" / "tutela.db").exists()


@pytest.mark.parametrize("database", [None, "postgresql://u:p%40ss@h/n"])
def test_service_processes_get_the_settings_by_their_environment(bare, file, tmp_path, database):
    bare.chdir(tmp_path)
    file.write_text("[service]\nauth_required = false\n")
    settings = load_settings(home=Path("home"), database=database)
    for name, value in settings.environment(2).items():
        bare.setenv(name, value)
    bare.chdir("/")
    received = load_settings()
    assert (received.home, received.database_text) == (tmp_path / "home", database)
    service = received.door(ServiceOptions)
    assert (service.auth_required, service.workers) == (False, 2)
    assert received.decoders == max(1, (os.cpu_count() or 1) // 2)


@pytest.mark.parametrize(("workers", "share"), [(1, "10/second"), (3, "3/second"), (100, "1/second")])
def test_a_rate_is_shared_by_the_workers_and_never_nothing(workers, share):
    assert ServiceOptions(rate="10/second", workers=workers).of_a_process().rate == share


# --- the commands


def test_the_settings_are_checked_and_shown_on_the_command_line(file):
    def tutela(*arguments: str) -> Result:
        runner = CliRunner(env={"TUTELA_DECODERS": "7", "TUTELA_SECRET_HOOK": "whsec_short"})
        return runner.invoke(app, ["--home", str(file.parent), "config", *arguments])

    file.write_text("[limits]\nmax_depth = 4\n")
    assert tutela("check").stdout == f"{file}: good; the home is {file.parent}\n"
    shown = tutela("show").stdout
    assert "\nmax_depth = 4\n" in shown
    assert "\ndecoders = 7\n" in shown
    assert tutela("show", "--defaults").stdout == template()
    file.write_text("[limits]\nmax_dept = 4\n")
    wrong = tutela("check")
    assert str(wrong.exception) == f"{file}:2: limits.max_dept is not a key; did you mean 'max_depth'?"
    file.write_text("[audit]\nkey = 'nothing'\n")
    assert "the key of checkpoints" in str(tutela("check").exception)
    file.write_text("[webhooks.site]\nurl = 'https://example.org/hook'\nsecrets = ['env:TUTELA_SECRET_HOOK']\n")
    assert "a webhook secret is 'whsec_'" in str(tutela("check").exception)
    file.write_text("[evidence]\nrecipients = ['nobody']\n")
    assert "a recipient of evidence is" in str(tutela("check").exception)
    gateway = "kind = 'clamd'\nlisten = ['{}']\n"
    file.write_text("".join(f"[gateways.{name}]\n{gateway.format('127.0.0.1:3310')}" for name in "ab"))
    assert str(tutela("check").exception) == "gateways.b.listen: 127.0.0.1:3310 is that of a"
    file.write_text("[gateways.a]\n" + gateway.format("/nowhere/socket"))
    assert "the folder of /nowhere/socket is not there" in str(tutela("check").exception)


def test_the_page_of_settings_shows_every_key():
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    assert page.endswith(f"```toml\n{template()}```\n"), "run: make reference"
