"""Embeddings: an operator's model, run inside the worker, holds what resembles a listed picture and never blocks it."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.pictures import draw_scene, file_of, photos
from tutela.content.media.confined.opened import OpenedContent
from tutela.content.media.content import Mode
from tutela.content.media.limits import Limits
from tutela.content.signals.embedding import EMBEDDING, FARTHEST, MODEL_VARIABLE, load_model
from tutela.content.views.view_set import ViewSet
from tutela.deployment.composition import compose_deployment
from tutela.errors import InvalidSignalError
from tutela.lists.banks.model import Action, NewEntry, Policy
from tutela.screening.decision import Decision

KNOWN = photos()[2]
SIDE = 24


def model_file(path, seed: int = 1, outputs: int = 32):
    """A model of one layer: the picture's pixels less their mean, times fixed random weights."""
    weights = np.random.default_rng(seed).normal(size=(SIDE * SIDE, outputs)).astype(np.float32)
    weights -= weights.mean(axis=0)
    nodes = [
        helper.make_node("Flatten", ["picture"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], ["vector"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    path.chmod(0o644)
    return path


def embedding_of(picture, monkeypatch, model) -> bytes:
    monkeypatch.setenv(MODEL_VARIABLE, str(model))
    load_model.cache_clear()
    (sample,) = EMBEDDING.compute(OpenedContent(file_of(picture, "PNG"), Mode.FAST, Limits()))
    return sample.value


def test_a_copy_is_near_and_another_picture_far(tmp_path, monkeypatch):
    model = model_file(tmp_path / "tiny.onnx")
    known = embedding_of(KNOWN, monkeypatch, model)
    assert EMBEDDING.distance(known, known) == 0
    assert EMBEDDING.distance(known, embedding_of(KNOWN.resize((150, 100)), monkeypatch, model)) < 20
    assert EMBEDDING.distance(known, embedding_of(photos()[0], monkeypatch, model)) > 200


def test_values_of_two_models_never_match(tmp_path, monkeypatch):
    first = embedding_of(KNOWN, monkeypatch, model_file(tmp_path / "first.onnx", seed=1))
    second = embedding_of(KNOWN, monkeypatch, model_file(tmp_path / "second.onnx", seed=2))
    assert EMBEDDING.distance(first, second) == FARTHEST


def test_without_a_model_there_is_no_embedding(monkeypatch):
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    assert EMBEDDING.compute(OpenedContent(file_of(KNOWN, "PNG"), Mode.FAST, Limits())) == ()


def test_printing_and_reading_a_value_gives_it_back(tmp_path, monkeypatch):
    value = embedding_of(KNOWN, monkeypatch, model_file(tmp_path / "tiny.onnx"))
    assert EMBEDDING.parse(EMBEDDING.format(value)) == value


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA", "A" * 4000])
def test_what_is_no_value_is_refused(text):
    with pytest.raises(InvalidSignalError, match="embedding needs"):
        EMBEDDING.parse(text)


def test_a_match_holds_even_where_the_bank_blocks(tmp_path, monkeypatch):
    """The whole way: the model runs in the confined worker, the index compares, the policy only holds."""
    model = model_file(tmp_path / "tiny.onnx")
    value = embedding_of(KNOWN, monkeypatch, model)
    with compose_deployment(tmp_path / "home", decoders=1, limits=Limits(views=ViewSet.PLAIN)) as deployment:
        deployment.banks.create("alike", policy=Policy(Action.BLOCK, {"embedding": 50}), actor="test")
        deployment.banks.add("alike", [NewEntry("embedding", value)], actor="test")
        deployment.refresh()
        verdict = deployment.screener.screen(file_of(KNOWN.resize((200, 140)), "JPEG", quality=40))
        assert verdict.decision is Decision.HOLD
        (match,) = verdict.matches
        assert (match.signal, match.action) == ("embedding", Action.HOLD)
        assert match.distance <= 50
        assert deployment.screener.screen(file_of(draw_scene(3), "JPEG")).decision is Decision.ALLOW


def test_a_model_that_cannot_be_loaded_holds_everything(tmp_path, monkeypatch):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    broken.chmod(0o644)
    monkeypatch.setenv(MODEL_VARIABLE, str(broken))
    with compose_deployment(tmp_path / "home", decoders=1) as deployment:
        assert deployment.screener.screen(file_of(KNOWN, "JPEG")).decision is Decision.HOLD
