"""The comparison with a graphics processor, where there is none: a small case on the processor, and it says so."""

import runpy
from pathlib import Path

import pytest
import torch

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gpu.py"


@pytest.mark.skipif(torch.cuda.is_available(), reason="takes minutes with a graphics processor: `make bench`")
def test_without_a_gpu_the_comparison_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HALLSPICE_CACHE", str(tmp_path))
    threads = torch.get_num_threads()
    main = runpy.run_path(str(PROGRAM))["main"]
    try:
        main()
        printed = capsys.readouterr().out
        assert "5 of 5 arrays with equal levels, at most 0.000 % of the codes" in printed
        assert "2 compared, at most 0.00 points apart" in printed
        assert printed.endswith("not run: no GPU\n")
        main.__globals__["OTHER_CODES"] = main.__globals__["ACCURACY"] = -1.0  # nothing is equal enough
        with pytest.raises(SystemExit, match=r"(?s)^1: 0\.00 % of the codes differ on cpu\n.*0\.00 points"):
            main()
    finally:
        torch.set_num_threads(threads)
