"""Put the quickstart's figures into README.md, between its two markers.

Usage: ``make quickstart && python tools/quickstart_table.py``
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- quickstart:begin -->", "<!-- quickstart:end -->"


def block(report: dict[str, Any]) -> str:
    """The table of a report and the machine it was made on, as Markdown."""
    seconds = sum(stage["seconds"] for stage in report["stages"])
    peak = max(stage["peak_rss_mb"] for stage in report["stages"])
    rows = [
        f"| {t['name']} | {t['metric']} | {t['base']:.3f} | {t['tuned']:.3f} | {t['delta']:+.3f} "
        f"| {t['ci_low']:+.3f} to {t['ci_high']:+.3f} | {t['n']:,} {t['unit']} |"
        for t in report["tasks"]
    ]
    return "\n".join(
        [
            BEGIN,
            "| task (held-out concepts) | metric | base | tuned | difference | 95% interval | n |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"The stages took {seconds / 60:.1f} minutes and at most {peak / 1024:.1f} GiB of memory on: "
            f"{report['environment']['machine']}. Figures of another machine differ in the last digits, times by more.",
            END,
        ]
    )


def put(readme: str, report: dict[str, Any]) -> str:
    """The README with the block of this report.

    Raises:
        ValueError: The README lacks a marker.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks {BEGIN} or {END}")
    return before + block(report) + after


def main() -> None:
    """Rewrite README.md from runs/quickstart/report.json."""
    report_file = ROOT / "runs" / "quickstart" / "report.json"
    if not report_file.is_file():
        sys.exit(f"no {report_file.relative_to(ROOT)}: run make quickstart first")
    readme = ROOT / "README.md"
    readme.write_text(put(readme.read_text("utf-8"), json.loads(report_file.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
