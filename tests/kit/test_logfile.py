"""Files that several processes append to and rotate: no line lost or torn, closed to strangers, heals by itself."""

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from zena.kit.logfile import LogFile, make_folder, rotated

WRITER = """
import sys
from pathlib import Path
from zena.kit.logfile import LogFile
who, number = sys.argv[2], int(sys.argv[3])
file = LogFile(Path(sys.argv[1]), 20_000, 10_000)
print("ready", flush=True)
sys.stdin.readline()
for count in range(number):
    left = file.write(f"{who} {count} {'x' * (count % 300)} end\\n".encode())
    assert not left, file.trouble
"""


def content(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in [*(old for _, old in rotated(path)), path])


def test_processes_that_write_and_rotate_at_once_lose_and_tear_no_line(tmp_path: Path) -> None:
    path, each = tmp_path / "logs" / "app.log", 2_500
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, who, str(each)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for who in "abcd"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate(b"go\n")
    assert [writer.returncode for writer in writers] == [0] * 4
    lines = content(path).splitlines()
    assert len(rotated(path)) > 50
    assert max(old.stat().st_size for _, old in rotated(path)) < 20_000 + 4 * 400
    assert all(line.endswith(b" end") for line in lines)
    told = Counter(tuple(line.split()[:2]) for line in lines)
    assert set(told.values()) == {1}
    assert len(told) == 4 * each


def test_a_writer_killed_in_the_middle_tears_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    for _ in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, "a", "1000000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
        while not path.exists() or not rotated(path):
            pass
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdin.close()
        writer.stdout.close()
    file = LogFile(path, 10**6, 3)
    assert file.write(b"b 0 end\n") == b""
    lines = content(path).splitlines()
    assert lines[-1] == b"b 0 end"
    assert sum(not line.endswith(b" end") for line in lines if line) <= 5


def test_the_folder_and_the_files_are_closed_to_strangers_whatever_the_umask(tmp_path: Path) -> None:
    for number, mask in enumerate((0o000, 0o077, 0o777)):
        path, before = tmp_path / str(number) / "app.log", os.umask(mask)
        try:
            file = LogFile(path, 40, 2)
            for _ in range(5):
                assert file.write(b"twenty bytes of log\n") == b""
        finally:
            os.umask(before)
        assert path.parent.stat().st_mode & 0o777 == 0o750
        assert {entry.name for entry in path.parent.iterdir()} == {"app.log", "app.log.1", "app.log.2"}
        assert {entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {0o640}


def test_a_smaller_number_of_files_to_keep_removes_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    for keep, left in ((5, 5), (2, 2), (1, 1)):
        file = LogFile(path, 20, keep)
        for _ in range(8):
            file.write(b"twenty bytes of log\n")
        assert len(rotated(path)) == left


def test_what_was_removed_or_moved_away_is_made_again(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "logs" / "app.log", 10**6, 2)
    assert file.write(b"one\n") == b""
    file.path.rename(tmp_path / "stolen")
    assert file.write(b"two\n") == b""
    file.path.unlink()
    file.path.parent.rmdir()
    assert file.write(b"three\n") == b""
    assert (file.path.read_bytes(), file.trouble) == (b"three\n", None)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_what_is_no_file_of_ours_is_not_written_to(tmp_path: Path, kind: str) -> None:
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "app.log"
    if kind == "link":
        elsewhere.write_bytes(b"precious\n")
        path.symlink_to(elsewhere)
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    file = LogFile(path, 10**6, 2)
    assert file.write(b"line\n") == b"line\n"
    assert file.trouble
    if kind == "link":
        assert elsewhere.read_bytes() == b"precious\n"


def test_a_file_that_may_not_grow_keeps_whole_lines_and_gives_back_the_rest(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "app.log", 10**6, 2)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15, before[1]))
    try:
        left, trouble = file.write(b"one line\nanother line\n"), file.trouble
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (left, trouble) == (b"another line\n", "File too large")
    assert file.write(left) == b""
    assert (file.path.read_bytes(), file.trouble) == (b"one line\nanothe\nanother line\n", None)


def test_the_folder_of_somebody_else_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o755
