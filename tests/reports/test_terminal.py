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


def test_progress_in_a_pipe_is_a_line_now_and_then(monkeypatch, capsys):
    from ase_les.reports import terminal

    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    progress = terminal.TerminalProgress()
    progress.start(100, "steps", completed=20)
    for _ in range(8):
        now[0] += 10.0
        progress.advance(10, "300 K")
    progress.finish()
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["steps: 50 of 100, 50 s left, 300 K", "steps: 80 of 100, 20 s left, 300 K"]
    quiet = terminal.TerminalProgress(quiet=True)
    quiet.start(10, "steps")
    now[0] += 100.0
    quiet.advance(5)
    quiet.finish()
    assert capsys.readouterr().err == ""
