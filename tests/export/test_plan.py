"""The plan says what will be written, and refuses in one sentence what cannot be."""

from pathlib import Path

import pytest

from hiresldm.cli.main import main
from hiresldm.core.bundle.schemes import Precision
from hiresldm.core.errors import UsageError
from hiresldm.export.build.plan import exporters, plan
from hiresldm.families.checkpoints import load
from hiresldm.families.hiresldm.model import Model
from hiresldm.runtimes.restorer import EMBEDDED_BUNDLE


@pytest.fixture(scope="module")
def model() -> Model:
    return load(EMBEDDED_BUNDLE)


def test_every_exporter_in_the_folder_is_a_format():
    assert {"onnx", "openvino", "coreml"} <= exporters().keys()


def test_rows_are_components_by_formats_by_precisions_with_sizes_that_shrink(model: Model):
    rows = plan(model, formats=["openvino"], precisions=["fp32", "fp16", "int8", "int4"]).rows
    assert len(rows) == 16
    sizes = [row.predicted_bytes for row in rows if row.component.name == "decoder"]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] <= 0.30 * sizes[0]
    assert sizes[3] <= 0.20 * sizes[0]


def test_mixed_is_predicted_by_its_mixed_precision_config(model: Model, tmp_path: Path):
    from hiresldm.calibration.layers import quantizable
    from hiresldm.calibration.mixed_precision import PrecisionConfig, save

    path = tmp_path / "precision-config.json"
    save(PrecisionConfig("edge", dict.fromkeys(quantizable(model), Precision.INT8)), path)
    made = plan(model, formats=["onnx"], precisions=["int8", "mixed"], precision_config=path)
    sizes = {(row.component.name, row.precision): row.predicted_bytes for row in made.rows}
    assert sizes["decoder", Precision.INT8] == sizes["decoder", Precision.MIXED]


def test_every_format_takes_the_precisions_that_it_offers(model: Model):
    formats, precisions = ["onnx", "openvino", "executorch"], ["int8", "int8-dynamic", "int4"]
    made = plan(model, formats=formats, precisions=precisions, components=["encoder"])
    assert [(row.exporter.FORMAT, row.precision) for row in made.rows] == [
        *(("onnx", kind) for kind in precisions),
        *(("openvino", kind) for kind in ("int8", "int4")),
        ("executorch", "int8"),
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"formats": ["tflite"]}, "no format 'tflite'"),
        ({"precisions": ["int3"]}, "no precision 'int3'"),
        ({"components": ["vocoder"]}, "no component 'vocoder'"),
        ({"precisions": ["fp32", "pal6"]}, "onnx cannot hold pal6"),
        (
            {"formats": ["onnx", "executorch"], "precisions": ["int4"]},
            "executorch cannot hold int4",
        ),
        ({"precisions": ["mixed"]}, "--precision-config"),
        ({"precisions": ["w8a8"]}, "--calibration"),
    ],
)
def test_what_cannot_be_is_refused_in_words(model: Model, options: dict, sentence: str):
    with pytest.raises(UsageError, match=sentence):
        plan(model, **{"formats": ["onnx"], "precisions": ["fp32"], **options})


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as ended:
        main(["build", str(tmp_path / "out"), "--dry-run", "--untrained"])
    assert ended.value.code == 0
    assert "decoder | onnx | fp32" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
