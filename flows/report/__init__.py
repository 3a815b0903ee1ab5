"""The HTML report of a run, rebuilt from the files of its folder."""

from __future__ import annotations

from pathlib import Path

REPORT_NAME = "report.html"


def write_report(run_dir: Path) -> Path:
    """Write RUN/report.html, and RUN/binding_site.cif and .extxyz where there is a site.

    Args:
        run_dir: folder of a finished run.

    Returns:
        The path of the page: one file that shows everything without a network.

    Raises:
        RunFolderError: the folder is missing, unfinished or incomplete.
    """
    from data.store import write_text
    from flows.report.load import load_run
    from flows.report.page import render
    from flows.report.structure import write_binding_site

    run = load_run(Path(run_dir))
    write_binding_site(run)
    path = run.folder / REPORT_NAME
    write_text(path, render(run))
    return path
