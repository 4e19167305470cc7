"""Progress and messages in the terminal."""

from ase_les.reports.terminal import TerminalProgress
from ase_les.runs.progress import task


def test_messages_go_to_stderr_as_they_are(capfd):
    progress = TerminalProgress()
    with task(progress, 3, "structures", completed=1):
        progress.advance(status="1 failed")
        progress.message("structure [red] failed", warning=True)
    captured = capfd.readouterr()
    assert captured.err == "structure [red] failed\n"
    assert captured.out == ""


def test_quiet_progress_shows_nothing(capfd):
    progress = TerminalProgress(quiet=True)
    with task(progress, 1, "structures"):
        progress.message("done")
    assert capfd.readouterr() == ("", "")
