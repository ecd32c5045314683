"""The evaluation: attacks that can be repeated, intervals that are right, a report that says what was counted."""

import json
import math
import random

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.support.pictures import draw_scene, photos
from tutela.cli.commands import app
from tutela.content.media.content import Picture
from tutela.content.signals.base import Sample
from tutela.content.signals.pdq import PDQ
from tutela.content.views.view_set import ViewSet
from tutela.errors import InputError
from tutela.lists.banks.values import picture_entries
from tutela.screening.evaluation.attacks.base import Scene
from tutela.screening.evaluation.attacks.catalogue import ATTACKS, encoded, opened
from tutela.screening.evaluation.intervals import interval, ratio_interval
from tutela.screening.evaluation.robustness import EvaluationPlan, evaluate
from tutela.screening.evaluation.subjects import TrialListing, listed_samples, read_subjects
from tutela.screening.evaluation.trials import Trial, distances_of, limit_of
from tutela.screening.evaluation.unrelated import NOTHING_NEAR, Unrelated, make_bank, searched
from tutela.screening.nearness import needed_quality


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pictures")
    for i, picture in enumerate((*photos(), draw_scene(1), draw_scene(2))):
        picture.save(directory / f"{i}.png")
    (directory / "notes.txt").write_text("no picture")
    return directory


def silent(stage):
    from contextlib import nullcontext

    return nullcontext(lambda done, total: None)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_every_attack_changes_the_picture_and_can_be_repeated(name):
    attack, picture = ATTACKS[name], photos()[2].resize((300, 200))
    for strength in (attack.strengths[0], attack.strengths[-1]):
        files = []
        for _ in range(2):
            scene = Scene(picture, (photos()[0].resize((200, 200)), draw_scene(4, (240, 180))), random.Random("seed"))
            files.append(encoded(attack.apply(scene, strength), attack.encoding(strength)))
        assert files[0] == files[1]
        result = opened(files[0])
        assert min(result.size) >= 8
        assert result.size != picture.size or np.asarray(result).tobytes() != np.asarray(picture).tobytes()


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (0, 100, 0.0, 0.0362),
        (100, 100, 0.9638, 1.0),
        (50, 100, 0.4038, 0.5962),
        (0, 0, 0.0, 1.0),
        (1, 10, 0.0179, 0.4042),
    ],
)
def test_intervals_are_those_of_the_textbooks(hits, trials, low, high):
    assert interval(hits, trials) == pytest.approx((low, high), abs=5e-4)


@pytest.mark.slow
def test_a_report_counts_every_trial_and_a_second_run_makes_none(folder, tmp_path):
    plan = EvaluationPlan(
        folder, tmp_path / "results", ["turn", "crop-placed"], per_strength=3, bank_size=2_000, size=256
    )
    summary = evaluate(plan, silent)
    log = (tmp_path / "results" / "trials.jsonl").read_text().splitlines()
    assert len(log) - 1 == summary.settings["trials"] == 3 * (7 + 7)
    document = json.loads((tmp_path / "results" / "report.json").read_text())
    for row in document["rows"]:
        assert all(share["trials"] == 3 for share in row["shares"].values())
        assert row["shares"]["standard"]["found"] >= row["shares"]["plain"]["found"]
    dihedral = next(row for row in document["groups"] if row["group"] == "dihedral")
    assert dihedral["shares"]["plain"]["found"] == 0
    assert dihedral["shares"]["standard"]["share"] == 1.0
    assert document["unrelated"]["plain"]["pictures"] == len(photos()) + 2
    assert [item["name"] for item in document["left_out"]] == ["notes.txt"]
    html = (tmp_path / "results" / "report.html").read_text()
    assert "data:image/png;base64," in html and "http" not in html
    evaluate(plan, silent)
    assert (tmp_path / "results" / "trials.jsonl").read_text().splitlines() == log


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_and_comes_to_the_same(folder, tmp_path):
    plan = EvaluationPlan(folder, tmp_path / "whole", ["sticker"], per_strength=2, bank_size=1_000, size=256)
    evaluate(plan, silent)
    lines = (tmp_path / "whole" / "trials.jsonl").read_text().splitlines()
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "trials.jsonl").write_text("\n".join(lines[:4]) + "\n" + lines[4][:20])
    evaluate(EvaluationPlan(folder, tmp_path / "cut", ["sticker"], per_strength=2, bank_size=1_000, size=256), silent)
    with (tmp_path / "cut" / "trials.jsonl").open() as file:
        cut = [json.loads(line) for line in file.read().splitlines()]
    assert cut == [json.loads(line) for line in lines]


def test_results_of_another_run_are_not_mixed_in(folder, tmp_path):
    evaluate(EvaluationPlan(folder, tmp_path, ["grey"], per_strength=1, bank_size=1_000, size=256, seed=1), silent)
    with pytest.raises(InputError, match="another run"):
        evaluate(EvaluationPlan(folder, tmp_path, ["grey"], per_strength=1, bank_size=1_000, size=256, seed=2), silent)


def test_a_trial_is_read_back_as_it_was_written(folder):
    from tutela.screening.evaluation.trials import one_trial

    subjects, _ = read_subjects(folder, 256)
    trial = one_trial(subjects, 0, ATTACKS["border"], 10, seed=3)
    assert Trial.read(json.loads(json.dumps(trial.document()))) == trial


@pytest.mark.parametrize("view", ["whole", "mirrored", "piece", "rectangle/mirrored", "anchored", "edge"])
def test_views_of_the_quality_that_screening_asks_for_count_and_no_others(view):
    many_sided = random.Random(1).randbytes(32)
    for quality in (49, 50, 79, 80):
        counts = limit_of(Sample("pdq", many_sided, view, quality)) >= 0
        assert counts == (quality >= needed_quality(50, view, filmed=False))


def test_a_bank_of_unrelated_hashes_has_the_size_asked_for(folder):
    subjects, _ = read_subjects(folder, 256)
    bank = make_bank(subjects[:3], 5_000, seed=1)
    assert bank.hashes.shape == (5_000, 32) and bank.limits.shape == (5_000,)
    assert len(np.unique(bank.hashes, axis=0)) > 4_500
    assert np.array_equal(bank.hashes, make_bank(subjects[:3], 5_000, seed=1).hashes)


def test_the_nearest_view_of_a_picture_says_how_much_wider_thresholds_would_match_it():
    source = np.random.default_rng(7)
    hashes = source.integers(0, 256, (500, 32), np.uint8)
    limits = np.full(500, 31, np.int32)
    limits[3] = 20
    picture = [Sample("pdq", _near(hashes[i], bits, source), view, 100) for i, bits, view in NEAR]
    count = Unrelated()
    with searched(TrialListing(hashes, limits)) as bank:
        count.add(picture, bank.near(picture), 500)
        count.add([], bank.near([]), 500)
    assert count.margins == [20 - 29, NOTHING_NEAR]
    assert [count.matched_at(bits) for bits in (-10, -9, 0, 14)] == [0, 1, 1, 1]
    assert count.nearest == {"whole": 26, "anchored": 20, "edge": 34}
    assert count.matched_by == {"anchored": 1}
    assert (count.queries, count.compared, sum(count.within)) == (3, 1500, 3)


NEAR = [(3, 26, "whole"), (40, 20, "anchored"), (41, 34, "edge")]
"""Views of a picture: the number of the hash that each lies near to, the bits between them, its name."""


def _near(value, bits, source):
    changed = np.unpackbits(value)
    changed[source.choice(256, bits, replace=False)] ^= 1
    return np.packbits(changed).tobytes()


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"), [(50, 100, 1 / 0.5962, 1 / 0.4038), (10, 10, 1.0, 1.446), (0, 5, 1.916, math.inf)]
)
def test_how_many_times_the_part_a_whole_is_has_an_interval(part, whole, low, high):
    assert ratio_interval(part, whole) == pytest.approx((low, high), abs=5e-3)


def test_what_is_listed_of_a_picture_is_what_a_bank_lists():
    for picture in (draw_scene(3), draw_scene(4)):
        pixels = np.ascontiguousarray(np.asarray(picture.convert("RGB")))
        samples = PDQ.of_picture(Picture(pixels, picture.width, picture.height), ViewSet.LISTED)
        (entry,) = picture_entries(samples)
        listed = [sample.value for sample in listed_samples(picture.convert("RGB"))]
        assert listed == [entry.value, *(value.value for value in entry.values)]


def test_a_listed_view_is_found_no_farther_than_its_family_allows(folder):
    subjects, _ = read_subjects(folder, 256)
    value = subjects[0].listed.hashes[0]
    listed = TrialListing.of([Sample("pdq", value.tobytes(), view, 100) for view in ("whole", "anchored", "edge")])
    sample = Sample("pdq", value.tobytes(), "piece", 100)
    assert distances_of([sample], listed)[1].tolist() == [[31, 29, 27]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-folder"], "no folder"),
        (["{folder}", "--attack", "no-such"], "no attack is called"),
    ],
)
def test_bad_input_is_an_answer(folder, tmp_path, arguments, message):
    filled = [argument.format(folder=folder) for argument in arguments]
    outcome = CliRunner().invoke(app, ["evaluate", "robustness", *filled, "--results", str(tmp_path / "r")])
    assert outcome.exit_code != 0
    assert message in str(outcome.exception)
