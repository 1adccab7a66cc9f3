"""bf16-mixed against float32 on the real images, seed by seed: the claims of the study, made again."""

import json
from pathlib import Path

import pytest

from studies.claims import REPRODUCED
from tests.commands.test_bfloat16 import needs_bfloat16


@pytest.mark.slow
@pytest.mark.real_data
@needs_bfloat16
def test_bf16_mixed_is_as_accurate_as_float32(cadence) -> None:
    assert cadence("study", "run", "precision", "--scale", "laptop", "--workers", "1") == 0
    assert cadence("study", "report", "precision") == 0
    verdicts = json.loads(Path("results/studies/precision/laptop/verdicts.json").read_text())
    for verdict in verdicts:
        assert verdict["state"] == REPRODUCED, verdict
        assert all("n = 5" in line for line in verdict["numbers"])
        print(verdict["says"], *verdict["numbers"], sep="\n  ")
