"""The lint finds what would keep a program off the neural engine."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hiresldm.export.writers.mlpackage.convert import finish, unheard
from hiresldm.export.writers.mlpackage.lint import lint, lint_operations


def build(function: Any, *shape: int) -> Any:
    """A program of one input x of this shape."""
    with unheard():
        import coremltools as ct
        from coremltools.converters.mil.mil import Builder

        decorate = Builder.program(
            input_specs=[Builder.TensorSpec(shape=shape)], opset_version=ct.target.iOS18
        )
        return decorate(lambda x: function(Builder, x))


def save(function: Any, path: Path, *shape: int) -> Path:
    """A package of one input x of this shape."""
    with unheard():
        finish(build(function, *shape)).save(str(path))
    return path


def test_a_bad_program_is_told_by_operation_and_problem(tmp_path: Path):
    def bad(mb: Any, x: Any) -> Any:
        scaled = mb.mul(x=x, y=np.float32(1e6), name="scaled")
        return mb.reshape(x=scaled, shape=[40_000], name="wide")

    findings = lint(save(bad, tmp_path / "bad.mlpackage", 200, 200))
    assert [finding.operation for finding in findings] == ["scaled_y_0", "wide"]
    assert "holds 1e+06; the largest of fp16 is 65504" in findings[0].problem
    assert "has an axis of 40000; the most is 16384" in findings[1].problem


def test_a_rank_that_is_too_high_is_found_before_coremltools_refuses_to_write_it():
    def deep(mb: Any, x: Any) -> Any:
        return mb.expand_dims(x=x, axes=[0, 1, 2, 3], name="deep")

    (finding,) = lint_operations(build(deep, 2, 3))
    assert (finding.operation, finding.problem) == ("deep", "has rank 6; the most is 5")


def test_a_good_program_has_no_findings(tmp_path: Path):
    def good(mb: Any, x: Any) -> Any:
        return mb.mul(x=x, y=np.float32(0.5), name="half")

    assert lint(save(good, tmp_path / "good.mlpackage", 2, 16_384)) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, 65_536.0])
def test_a_constant_that_fp16_cannot_hold_is_found(tmp_path: Path, value: float):
    def program(mb: Any, x: Any) -> Any:
        return mb.add(x=x, y=np.array([1.0, value], np.float32), name="sum")

    (finding,) = lint(save(program, tmp_path / "range.mlpackage", 3, 2))
    assert "the largest of fp16 is 65504" in finding.problem
