"""What a small zone before a large one says: with any large zone that a resolver may still hold, what the lists say."""

import random
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import effort
from tutela.errors import InputError
from tutela.foundation.store.database import Store
from tutela.gateways.dns import DnsOptions
from tutela.gateways.dns.covering import CoveringNames, above
from tutela.gateways.dns.history import NameRule, Rules
from tutela.gateways.dns.options import Resolver
from tutela.gateways.dns.versions import ZoneVersions
from tutela.gateways.dns.zone import KEPT_S, ZoneWithRecent, recent_rules
from tutela.gateways.listeners import ListenAddress
from tutela.lists.banks.model import BankUse, EntryState
from tutela.lists.banks.service import Banks
from tutela.lists.banks.values import new_entry

ALL_NAMES = [".".join([*labels, "example"]) for many in range(1, 5) for labels in product("ab", repeat=many)]
NAMES = st.sampled_from(ALL_NAMES)


def answered(name: str, zones: Sequence[Mapping[str, NameRule]]) -> NameRule:
    """What a resolver makes of zones in this order, each with a rule for every name and one for its star."""
    for rules in zones:
        owners = {owner for rule in rules for owner in (rule, f"*.{rule}")}
        exist = owners | {each for owner in owners for each in _parents(owner)}
        if name in owners:
            return rules[name]
        if name not in exist:  # RFC 4592: the star of the closest name that exists, and of no other
            closest = next((each for each in _parents(name) if each in exist), "")
            if f"*.{closest}" in owners:
                return rules[closest]
    return NameRule.FREE


def _parents(name: str) -> Iterable[str]:
    while name := name.partition(".")[2]:
        yield name


def says(listed: set[str], name: str) -> NameRule:
    return NameRule.LISTED if name in listed or any(each in listed for each in above(name)) else NameRule.FREE


@given(st.lists(st.tuples(st.booleans(), st.sets(NAMES, max_size=4)), max_size=8))
def test_the_topmost_names_cover_what_is_listed(changes):
    names, listed, top = CoveringNames(), set[str](), set[str]()
    for more, some in changes:
        removed, added = (set(), some - listed) if more else (some & listed, set())
        listed = listed - removed | added
        gone, new = names.change(removed, added)
        assert gone <= top and not new & top
        top = top - gone | new
        assert {*names} == top == {name for name in listed if listed.isdisjoint(above(name))}
        assert len(names) == len(top)


@given(st.lists(st.sets(NAMES, max_size=5), min_size=1, max_size=5), st.sets(NAMES, max_size=3))
def test_whatever_large_zone_a_resolver_has_it_answers_as_the_lists_say(lists, others):
    """The lists at several moments; each was the large zone once. What changed between any two is in the small one."""
    moments = [CoveringNames() for _ in lists]
    for names, listed in zip(moments, lists, strict=True):
        names.change((), listed)
    tops = [{*names} for names in moments]
    changed = {name for one in tops for name in one ^ tops[-1]}
    recent = recent_rules(changed | others, moments[-1])
    for top in tops:
        zones = [recent, dict.fromkeys(top, NameRule.LISTED)]
        for name in ALL_NAMES:
            assert answered(name, zones) is says(lists[-1], name), name


class World:
    """Lists, the zones made of them, and a resolver that may take either zone first."""

    def __init__(self, folder: Path, **more: object) -> None:
        self.banks = Banks(Store.create(f"sqlite:///{folder / 'tutela.db'}"), folder)
        self.banks.create("names", uses={BankUse.DNS}, actor="test")
        self.file = folder / "dns" / "rpz.serial"
        self.options = DnsOptions.model_validate({"recent": "new.rpz.tutela.invalid", "recent_most": 4, **more})
        self.now = 1_000_000.0
        self.zone = self.begun_anew()

    def begun_anew(self) -> ZoneWithRecent:
        """The zone of another process."""
        self.zone = ZoneWithRecent(self.banks, self.file, self.options, lambda: self.now)
        self.zone.refresh()
        return self.zone

    def add(self, *names: str) -> None:
        self.banks.add("names", [new_entry("domain", name) for name in names], actor="test")

    def withdraw(self, *names: str) -> None:
        for name in names:
            for entry in self.banks.find("domain", new_entry("domain", name).value):
                self.banks.set_state(entry.id, EntryState.WITHDRAWN, reason="for the test", actor="test")

    def held(self) -> tuple[dict[str, NameRule], dict[str, NameRule]]:
        """The small and the large zone."""
        recent, main = self.zone.recent.whole()[1], self.zone.main.whole()[1]
        return dict(recent), dict(main)


def test_what_changes_is_in_the_small_zone_until_the_large_one_is_renewed(tmp_path):
    world = World(tmp_path)
    world.add("one.example", "two.example")
    assert world.zone.refresh() and world.held() == (
        {"one.example": NameRule.LISTED, "two.example": NameRule.LISTED},
        {},
    )
    serial = world.zone.serial
    world.withdraw("one.example")
    world.add("three.example", "four.example", "five.example")
    world.zone.refresh()
    assert world.zone.serial == serial
    world.add("six.example")
    world.zone.refresh()
    recent, main = world.held()
    listed = {f"{name}.example" for name in ("two", "three", "four", "five", "six")}
    assert {*main} == listed and listed <= {*recent}, "in both, whichever a resolver takes first"
    differences = world.zone.main.since(serial)
    assert differences is not None and [{*each.added} for each in differences] == [listed]


def test_folded_names_leave_the_small_zone_when_every_resolver_applies_the_large_one(tmp_path):
    at = ListenAddress("127.0.0.1", 53)
    world = World(tmp_path, resolvers={"one": Resolver(asked_at=at)})
    world.add(*(f"host{number}.example" for number in range(5)))
    world.zone.refresh()
    assert len(world.held()[0]) == len(world.held()[1]) == 5
    world.now += KEPT_S + 1
    assert not world.zone.refresh(), "a resolver has not said that it has it"
    world.zone.applied = world.zone.serial - 1
    assert not world.zone.refresh()
    world.zone.applied = world.zone.serial
    assert world.zone.refresh()
    assert (len(world.held()[0]), len(world.held()[1])) == (0, 5)


def test_a_change_too_large_for_the_small_zone_is_in_the_large_one_and_takes_nothing_out_of_the_small(tmp_path):
    world = World(tmp_path)
    world.add("one.example")
    world.zone.refresh()
    world.add(*(f"host{number}.example" for number in range(20)))
    world.zone.refresh()
    assert world.held()[0] == {"one.example": NameRule.LISTED} and len(world.held()[1]) == 21


def test_the_large_zone_is_renewed_at_the_hour_that_was_chosen(tmp_path):
    world = World(tmp_path, fold_hour=4)
    world.now = 12 * 3600.0
    world.add(*(f"host{number}.example" for number in range(5)))
    world.zone.refresh()
    assert (len(world.held()[0]), len(world.held()[1])) == (5, 0)
    world.now = (24 + 4) * 3600.0
    world.zone.refresh()
    assert (len(world.held()[0]), len(world.held()[1])) == (5, 5)


@pytest.mark.parametrize("killed_at", ["the large zone", "the small zone", None])
def test_a_process_killed_while_it_folds_loses_no_rule(tmp_path, monkeypatch, killed_at):
    """At each step what a resolver may hold, with either of its zones taken first, answers every listed name."""
    world = World(tmp_path)
    world.add("old.example")
    world.zone.refresh()
    world.add(*(f"host{number}.example" for number in range(3)))
    world.withdraw("old.example")
    world.zone.refresh()
    before, serials = world.held(), (world.zone.recent.serial, world.zone.serial)
    world.add("last.example")
    listed = {"last.example", *(f"host{number}.example" for number in range(3))}
    advanced = ZoneVersions.advance

    def advance(versions: ZoneVersions, *rules: Rules) -> None:
        if versions is (world.zone.main if killed_at == "the large zone" else world.zone.recent):
            raise KeyboardInterrupt
        advanced(versions, *rules)

    world.add("more.example")
    listed.add("more.example")
    if killed_at:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ZoneVersions, "advance", advance)
            world.zone.refresh()
        world.begun_anew()
    else:
        world.zone.refresh()
    after = world.held()
    assert world.zone.recent.serial > serials[0]
    assert world.zone.serial > serials[1] or killed_at == "the large zone"
    for recent, main in ((before[0], after[1]), (after[0], before[1]), after):
        for name in ("host0.example", "host1.example", "host2.example"):
            assert answered(f"x.{name}", [recent, main]) is NameRule.LISTED
        assert answered("old.example", [recent, main]) is NameRule.FREE
    assert all(answered(name, after) is NameRule.LISTED for name in listed)


def test_a_new_process_leaves_the_large_zone_as_it_is_unless_its_rules_look_otherwise(tmp_path):
    world = World(tmp_path)
    world.add(*(f"host{number}.example" for number in range(6)))
    world.zone.refresh()
    world.add("new.example")
    world.zone.refresh()
    serial, held = world.zone.serial, world.held()
    assert world.begun_anew().serial == serial and world.held() == held
    world.options = world.options.model_copy(update={"ttl_s": 7})
    assert world.begun_anew().serial == serial + 1 and world.held() == held
    for file in (world.file.with_suffix(".folded"), world.file.with_name(f"{world.file.name}.versions")):
        kept = file.read_text()
        file.write_text("{\n" + kept)
        with pytest.raises(InputError, match="damaged"):
            world.begun_anew()
        file.write_text(kept)


def test_a_zone_that_was_served_alone_meanwhile_begins_anew(tmp_path):
    world = World(tmp_path)
    world.add("one.example")
    world.zone.refresh()
    world.file.write_text(f"{world.zone.serial + 7}\n")
    serial = world.zone.serial
    assert world.begun_anew().serial == serial + 8
    assert world.held() == ({}, {"one.example": NameRule.LISTED})


ENDS = ("goes on", "is started anew", "is killed before it stores the serial", "is killed in the middle of a line")


@settings(max_examples=effort(20, 200))
@given(st.lists(st.tuples(st.sets(NAMES, max_size=4), st.sampled_from(ENDS)), max_size=8), st.booleans())
def test_a_process_started_anew_knows_what_differs_from_each_version_that_was_served(steps, is_rewritten):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if is_rewritten:
            patch.setattr("tutela.gateways.dns.history._SPARE_BYTES", -100)
        file = Path(folder) / "zone.serial"
        versions = ZoneVersions(file)
        assert not versions.resume()
        versions.begin({})
        served = {versions.serial: dict(versions.rules)}
        for changed, end in steps:
            held = versions.rules.keys()
            change = (dict.fromkeys(changed & held, NameRule.LISTED), dict.fromkeys(changed - held, NameRule.LISTED))
            if end == ENDS[2]:
                with patch.context() as killed, pytest.raises(KeyboardInterrupt):
                    killed.setattr(ZoneVersions, "_store", _killed)
                    versions.advance(*change)
            else:
                versions.advance(*change)
            if end == ENDS[3]:
                with (Path(folder) / "zone.serial.versions").open("a") as kept:
                    kept.write('{"before":')
            if end != ENDS[0]:
                versions = ZoneVersions(file)
                assert versions.resume()
            assert served.setdefault(versions.serial, dict(versions.rules)) == versions.rules
            for serial, rules in served.items():
                differences, now = versions.since(serial), dict(rules)
                assert differences is not None
                for difference in differences:
                    difference.apply(now)
                assert now == versions.rules


def _killed(versions: ZoneVersions, serial: int) -> None:
    raise KeyboardInterrupt


@dataclass
class Lagging:
    """A resolver that takes either zone when it likes."""

    zones: dict[str, Mapping[str, NameRule]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    """When it took each."""
    serial: int = 0
    """Of its large zone."""

    def take(self, name: str, versions: ZoneVersions, step: int) -> None:
        serial, self.zones[name] = versions.whole()
        self.steps[name] = step
        if name == "large":
            self.serial = serial


@pytest.mark.parametrize("seed", range(effort(4, 100, least=2)))
def test_resolvers_that_lag_answer_what_has_not_changed_since_as_the_lists_say(tmp_path, seed):
    """Names are listed and withdrawn, processes end, days pass, and resolvers take one of the zones or none."""
    chosen, at = random.Random(seed), ListenAddress("127.0.0.1", 53)
    world = World(tmp_path, resolvers={name: Resolver(asked_at=at) for name in "ab"}, recent_most=7)
    resolvers, listed, history = [Lagging(), Lagging()], set[str](), list[set[str]]()
    nested, flat = ALL_NAMES[:14], [f"host{number}.example" for number in range(20)]
    renewed, shrunk = world.zone.serial, 0
    for step in range(effort(60, 300, least=30)):
        world.now += chosen.choice((11.0, 11.0, 3_600.0, KEPT_S + 1))
        names = {*chosen.sample(nested, chosen.randint(0, 1)), *chosen.sample(flat, chosen.randint(0, 4))}
        world.withdraw(*(names & listed))
        world.add(*(names - listed))
        listed = listed ^ names
        history.append(listed)
        if not chosen.randrange(6):
            world.begun_anew()
        world.zone.applied = min(each.serial for each in resolvers) if all(each.zones for each in resolvers) else None
        before = len(world.zone.recent.rules)
        world.zone.refresh()
        shrunk += len(world.zone.recent.rules) < before
        for resolver in resolvers:
            for name, versions in (("small", world.zone.recent), ("large", world.zone.main)):
                if step < 1 or not chosen.randrange(5 if name == "small" else 12):
                    resolver.take(name, versions, step)
            since = history[min(resolver.steps.values()) :]
            for name in (*ALL_NAMES, *flat):
                if resolver.steps["small"] == step or len({says(one, name) for one in since}) == 1:
                    zones = [resolver.zones["small"], resolver.zones["large"]]
                    assert answered(name, zones) is says(listed, name), (step, name, resolver.steps)
    assert world.zone.serial > renewed + 1 and shrunk, "the large zone was renewed, and the small one emptied"
