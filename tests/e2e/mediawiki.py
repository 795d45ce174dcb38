"""A real MediaWiki with TextExtracts, from Debian's package, under PHP's own server and with SQLite, in a folder.

``python tests/e2e/mediawiki.py FOLDER`` runs one until it is interrupted. What it needs:
``apt-get install --no-install-recommends mediawiki php-cli php-sqlite3 php-intl php-mbstring php-xml``.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

HOME = Path("/usr/share/mediawiki")
_ADMIN = "Admin"
_EXTENSIONS = ("TextExtracts", "Cite")
_DISAMBIGUATION = """
$wgExtensionMessagesFiles['Disambiguation'] = __DIR__ . '/words.php';
$wgHooks['GetDoubleUnderscoreIDs'][] = static function ( &$ids ) { $ids[] = 'disambiguation'; };
"""
"""What Wikipedia's extension Disambiguator does, which Debian does not carry: a word that becomes a page property."""
_WORDS = "<?php $magicWords['en'] = [ 'disambiguation' => [ 0, '__DISAMBIG__' ] ];\n"
_EXPORT = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
{pages}</mediawiki>
"""
_PAGE = """<page><title>{title}</title><ns>{namespace}</ns><revision><timestamp>{moment}</timestamp>
<contributor><username>Admin</username></contributor><model>wikitext</model><format>text/x-wiki</format>
<text xml:space="preserve">{text}</text></revision></page>
"""


def why_not() -> str:
    """Why no MediaWiki can be run here; empty if it can."""
    if shutil.which("php") is None:
        return "no php: install php-cli"
    if not (HOME / "maintenance" / "install.php").is_file():
        return "no MediaWiki: install Debian's package mediawiki"
    loaded = subprocess.run(["php", "-m"], capture_output=True, text=True, check=True).stdout.split()
    lacking = {"sqlite3", "intl", "mbstring", "xml"} - set(loaded)
    return f"php lacks {', '.join(sorted(lacking))}" if lacking else ""


@dataclass
class RunningWiki:
    """A wiki that runs.

    Attributes:
        folder: Its settings and database.
        url: Its address.
    """

    folder: Path
    url: str

    @property
    def api(self) -> str:
        """Address of its interface."""
        return f"{self.url}/api.php"

    def fill(self, pages: Mapping[str, str], moment: str = "2024-03-01T12:00:00Z") -> None:
        """Import pages, by title with their wikitext."""
        rows = (
            _PAGE.format(title=escape(title), namespace=_namespace(title), moment=moment, text=escape(text))
            for title, text in pages.items()
        )
        path = self.folder / "import.xml"
        path.write_text(_EXPORT.format(pages="".join(rows)), "utf-8")
        self.maintain("importDump.php", "--quiet", str(path))
        self.maintain("runJobs.php", "--quiet")

    def edit(self, title: str, text: str) -> None:
        """Write a page."""
        self.maintain("edit.php", "--user", _ADMIN, title, given=text)
        self.maintain("runJobs.php", "--quiet")

    def delete(self, title: str) -> None:
        """Delete a page."""
        path = self.folder / "delete.txt"
        path.write_text(title, "utf-8")
        self.maintain("deleteBatch.php", "-u", _ADMIN, str(path))

    def dump(self, path: Path) -> None:
        """Write a dump of the present pages."""
        self.maintain("dumpBackup.php", "--current", "--quiet", f"--output=bzip2:{path}")

    def maintain(self, script: str, *arguments: str, given: str = "") -> None:
        """Run one of its maintenance scripts."""
        environment = os.environ | {"MW_CONFIG_FILE": str(self.folder / "LocalSettings.php")}
        _run(["php", str(HOME / "maintenance" / script), *arguments], environment, given)


@contextmanager
def mediawiki(folder: Path) -> Iterator[RunningWiki]:
    """Install an empty wiki into a folder and run it on a free port of loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = RunningWiki(folder, f"http://127.0.0.1:{port}")
    _install(running)
    environment = os.environ | {"MW_CONFIG_FILE": str(folder / "LocalSettings.php")}
    with (folder / "server.log").open("wb") as log:
        command = ["php", "-S", f"127.0.0.1:{port}", "-t", str(HOME)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        _await(server, running)
        yield running
    finally:
        server.terminate()
        server.wait()


def _install(running: RunningWiki) -> None:
    folder = running.folder
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "confpath": folder,
        "dbtype": "sqlite",
        "dbpath": folder / "data",
        "dbname": "wiki",
        "server": running.url,
        "scriptpath": "",
        "lang": "en",
        "pass": "only for a test",
    }
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    _run(["php", str(HOME / "maintenance" / "install.php"), *given, "Test", _ADMIN], dict(os.environ))
    (folder / "words.php").write_text(_WORDS, "utf-8")
    with (folder / "LocalSettings.php").open("a", encoding="utf-8") as settings:
        settings.writelines(f"wfLoadExtension( '{name}' );\n" for name in _EXTENSIONS)
        settings.write(f"$wgJobRunRate = 0;\n{_DISAMBIGUATION}")


def _run(command: list[str], environment: dict[str, str], given: str = "") -> None:
    done = subprocess.run(command, env=environment, input=given, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{Path(command[1]).name}: {done.stdout}{done.stderr}")


def _await(server: "subprocess.Popen[bytes]", running: RunningWiki) -> None:
    deadline = time.monotonic() + 30
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{running.api}?action=query&format=json", timeout=30):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise RuntimeError(f"MediaWiki does not answer: see {running.folder / 'server.log'}")


def _namespace(title: str) -> int:
    return {"Category": 14, "Template": 10}.get(title.partition(":")[0], 0)


if __name__ == "__main__":
    with mediawiki(Path(sys.argv[1]).resolve()) as wiki:
        sys.stdout.write(f"{wiki.api}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            time.sleep(1e9)
