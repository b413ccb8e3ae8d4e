"""What the doctor sees of people: the way to the hub's programs, and what fills a home."""

import os
from pathlib import Path

from runbook import safe_files
from runbook.hub.doctor.people import expand, fullest, largest, steps, who_failed


def test_a_way_leads_through_symbolic_links_of_folders_and_of_the_file(tmp_path: Path) -> None:
    private, python = tmp_path / "private/hub", tmp_path / "uv/python3"
    for folder in (private, python.parent):
        folder.mkdir(parents=True)
    (private / "python").symlink_to(python)
    python.touch()
    (tmp_path / "hub").symlink_to("private/hub")
    passed = list(steps(tmp_path / "hub/python"))
    assert {private, private.parent, python.parent, python} <= set(passed)
    assert passed.index(tmp_path) < passed.index(private.parent) < passed.index(private)


def test_what_fills_a_home_is_the_largest_file_or_the_folder_of_most_files(tmp_path: Path) -> None:
    frames, few = tmp_path / "run/frames", tmp_path / "few"
    for folder, number in ((frames, 7), (few, 2), (tmp_path, 9)):
        folder.mkdir(parents=True, exist_ok=True)
        for n in range(number):
            (folder / f"{n}.png").touch()
    (few / "big.dat").write_bytes(b"x" * (3 << 20))
    most, big = fullest(tmp_path), largest(tmp_path)
    assert most
    assert big
    assert (most.path, most.about) == (frames, "7 files")  # not the home itself
    assert (big.path, big.about) == (few / "big.dat", "3 MiB")


def test_an_empty_home_is_filled_by_nothing(tmp_path: Path) -> None:
    assert fullest(tmp_path) is None
    assert largest(tmp_path) is None


def test_those_whose_servers_failed_are_read_from_the_log_the_latest_first() -> None:
    said = (
        "[E 2026-11-24 20:21:29.578 JupyterHub user:1072] Unhandled error starting ann's server: x",
        "[W 2026-11-24 20:25:23.597 JupyterHub user:1119] cy's server never showed up at http://x",
    )
    assert who_failed(said) == ["cy", "ann"]
    started = "[I 2026-11-24 20:26:01.120 JupyterHub base:1122] User cy took 2.310 seconds to start"
    assert who_failed((*said, started)) == ["ann"]
    assert who_failed((*said, started, said[1])) == ["cy", "ann"]


def test_folders_in_one_another_by_the_thousand_are_looked_through(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    (tmp_path / "d/file").write_bytes(b"x" * (1 << 20))
    big = largest(tmp_path)
    assert big
    assert big.path == tmp_path / "d/file"
    safe_files.remove_tree(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_only_a_tilde_at_the_beginning_is_the_home() -> None:
    home = Path("/home/ann")
    folders = ("~", "~/x~y", "/data/x~y", "/data/{username}", "x~")
    told = [str(expand(folder, "ann", home)) for folder in folders]
    assert told == [str(home), f"{home}/x~y", "/data/x~y", "/data/ann", f"{home}/x~"]
    assert expand("~bob", "ann", home) != home / "bob"
