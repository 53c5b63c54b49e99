"""What deploys the server, run as it is written: the Dockerfile's instructions, the Procfile's command.

A container engine is not needed: a copy-on-write view of this machine's root, in a mount namespace of its
own, stands for the base image. The interpreter is this one's, in a new environment. Nothing outside of that
view is changed, and the servers have a network of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from telephony.engine.models import catalogue
from telephony.engine.process import EngineProcess
from tests.shared import not_allowed

ROOT = Path(__file__).resolve().parents[1]
NO_NETWORK = re.compile(
    "NewConnectionError|Name or service not known|name resolution|unreachable|ProxyError|ConnectTimeout"
)
BASE_PATH = "/opt/base/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PASSED_ON = re.compile(r"PIP_\w+|\w+_proxy|SSL_\w+", re.I)
KEY = "0123456789abcdef0123456789abcdef"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("image")]


def instructions(text: str) -> list[tuple[str, str]]:
    """The Dockerfile's instructions, with continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (name, rest.strip())
        for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]


@dataclass
class Image:
    """A root folder as a container's, and what its Dockerfile has said so far."""

    root: Path
    namespace: int
    """The process whose mounts are the image's."""
    environment: dict[str, str] = field(default_factory=dict)
    arguments: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)

    def start(
        self, command: list[str], *, user: str = "", folder: str = "", enter: Sequence[str] = (), **more: str
    ) -> subprocess.Popen[str]:
        """Start a command in the image, without this machine's environment. `enter` runs what follows it."""
        user = user or self.user
        # As for a container's engine, what a user may do is from the image's own /etc/passwd.
        change = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        inside = shlex.join(["cd", folder or self.folder]) + " && exec " + shlex.join(command)
        home = "/root" if user == "root" else f"/home/{user}"
        given = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)}
        return subprocess.Popen(
            [*enter, "nsenter", f"--mount=/proc/{self.namespace}/ns/mnt", "chroot", str(self.root)]
            + ([] if user == "root" else change)
            + ["sh", "-c", inside],
            env={**given, "PATH": BASE_PATH, "HOME": home, **self.environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: list[str], *, user: str = "", folder: str = "", **more: str) -> str:
        """Run it to its end. Raises RuntimeError with all it has written when it fails."""
        child = self.start(command, user=user, folder=folder, **more)
        written, _ = child.communicate(timeout=300)
        if child.returncode:
            raise RuntimeError(f"{shlex.join(command)} as {self.user}: {written}")
        return written

    def build(self, name: str, rest: str) -> None:
        """Carry out one instruction."""
        match name:
            case "FROM" | "EXPOSE":
                pass
            case "ARG":
                key, _, value = rest.partition("=")
                self.arguments[key] = value
            case "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in shlex.split(rest))
            case "WORKDIR":
                self.folder = rest
                self.run(["mkdir", "-p", rest], folder="/")
            case "COPY":
                *sources, target = shlex.split(rest)
                for source in sources:
                    assert not any(map(ignored, self.copy(source, target))), (
                        f".dockerignore has part of {source}"
                    )
            case "RUN":
                self.run(["sh", "-c", rest], **self.arguments)
            case "USER":
                self.user = rest
            case "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            case "CMD":
                self.command = json.loads(rest)
            case _:
                raise AssertionError(f"this test does not know the instruction {name}")

    def copy(self, source: str, target: str) -> list[str]:
        """Copy files that git knows, or would, as a strict umask has left them. Returns their names."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", source],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        names = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
        packed = subprocess.run(
            ["tar", "-c", "--owner=0", "--group=0", "--mode=go=", *names],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        below = source if (ROOT / source).is_dir() else ""
        into = os.path.normpath(os.path.join(self.folder, target))
        self.run(["mkdir", "-p", into])
        strip = f"--strip-components={len(Path(below).parts)}"
        enter = ["nsenter", f"--mount=/proc/{self.namespace}/ns/mnt", "chroot", str(self.root)]
        subprocess.run([*enter, "tar", "-x", "-C", into, strip], input=packed.stdout, check=True)
        return names


def ignored(name: str) -> bool:
    """Whether .dockerignore keeps a file from the engine: the last pattern that fits decides."""
    left_out = False
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!")
        places = [name, *(str(above) for above in Path(name).parents)]
        if not line.startswith("#") and any(
            Path(place).match(pattern.removeprefix("**/")) for place in places
        ):
            left_out = not line.startswith("!")
    return left_out


VIEW = """
set -e
mount -t tmpfs -o mode=755 image "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs -o mode=1777 tmp "$1/root/tmp"
cp -L /etc/resolv.conf /etc/hosts "$1/" && cp "$1/resolv.conf" "$1/hosts" "$1/root/etc/"
echo ready
exec cat
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The Dockerfile's image, built as far as this machine can."""
    if os.geteuid() != 0 or sys.platform != "linux":
        not_allowed("only root can make a root folder like a container's")
    if missing := [name for name in ("unshare", "nsenter", "setpriv", "useradd") if not shutil.which(name)]:
        pytest.skip(f"{', '.join(missing)} not here")
    place = tmp_path_factory.mktemp("image")
    view = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", VIEW, "sh", str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert view.stdin and view.stdout
        if (said := view.stdout.readline()) != "ready\n":
            not_allowed(f"no copy-on-write view of the root folder here: {said.strip()}")
        yield _built(Image(place / "root", view.pid))
    finally:
        view.communicate(timeout=20)  # its input ends, and so do the mounts


def _built(image: Image) -> Image:
    for taken in ("/app", "/data", "/opt/base"):
        if os.path.lexists(taken):
            not_allowed(f"{taken} is here already, and the image's own would be mixed with it")
    python = Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    for above in python.parents:  # a base image's interpreter can be run by everybody
        image.run(["chmod", "a+x", str(above)])
    image.run([str(python), "-m", "venv", "/opt/base"])
    for name, rest in instructions((ROOT / "Dockerfile").read_text()):
        try:
            image.build(name, rest)
        except RuntimeError as error:
            if NO_NETWORK.search(str(error)):
                pytest.skip("the package index is not reachable: the image cannot be built")
            raise
    return image


ALONE = """
import fcntl, os, socket, struct, sys
# SIOCSIFFLAGS: a new network's loopback is down until it is brought up (netdevice(7)).
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))
os.execvp(sys.argv[1], sys.argv[1:])
"""
ASK = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).status)"


@pytest.fixture
def serve(image: Image) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a server in the image and waits until it takes calls."""
    started: list[subprocess.Popen[str]] = []

    def start(command: list[str], **more: str) -> subprocess.Popen[str]:
        # Without a network nothing answers as speech service: the server starts all the same.
        settings = {"DEEPGRAM_API_KEY": KEY, "TWILIO_AUTH_TOKEN": KEY, "PUBLIC_URL": "https://phone.example"}
        alone = ("unshare", "--net", sys.executable, "-c", ALONE)
        child = image.start(command, enter=alone, **settings, **more)
        started.append(child)
        assert child.stdout
        said = []
        while line := child.stdout.readline():
            said.append(line)
            if line.startswith("telephony is ready on "):
                return child
        raise AssertionError("".join(said))

    yield start
    for child in started:
        child.kill()
        child.communicate()


def ask(child: subprocess.Popen[str], address: str) -> str:
    """The status of an answer inside the server's network."""
    enter = ["nsenter", f"--net=/proc/{child.pid}/ns/net", sys.executable, "-c", ASK, address]
    return subprocess.run(enter, capture_output=True, text=True).stdout.strip()


def owner(child: subprocess.Popen[str]) -> int:
    return os.stat(f"/proc/{child.pid}").st_uid


def test_the_image_serves_as_its_own_user_and_ends_on_sigterm(
    image: Image, serve: Callable[..., subprocess.Popen[str]]
) -> None:
    child = serve([*image.entrypoint, *image.command])
    assert image.user == "phone" and owner(child) == int(image.run(["id", "-u", "phone"]))
    assert ask(child, "http://127.0.0.1:8080/healthz") == "200"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 0


def test_the_images_user_can_write_its_data_and_none_of_the_code(image: Image) -> None:
    image.run(["touch", "/data/written"])
    for place in ("/app", "/app/telephony", "/app/telephony/__init__.py", "/opt/base/bin/python"):
        with pytest.raises(RuntimeError):
            image.run(["test", "-w", place])
    assert "doctor" in image.run([*image.entrypoint, "--help"])


def test_the_image_has_the_locked_versions_and_no_engine(image: Image) -> None:
    here = dict(line.split("==") for line in image.run(["pip", "freeze", "--all"]).split() if "==" in line)
    locked = re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.M)
    names = {name.lower().replace("_", "-").replace(".", "-"): version for name, version in here.items()}
    missing = {name for name, _ in locked} - set(names)
    assert missing <= {"audioop-lts"}
    assert all(
        version in {v for n, v in locked if n == name}
        for name, version in names.items()
        if name in dict(locked)
    )
    assert set(names) - {name for name, _ in locked} <= {"pip", "setuptools", "wheel"}


def test_the_procfiles_command_serves_from_a_checkout_with_the_same_packages(
    image: Image, serve: Callable[..., subprocess.Popen[str]]
) -> None:
    """As on Heroku: the packages of requirements.txt, the repository's files, `sh -c` of the line."""
    web = (ROOT / "Procfile").read_text().removeprefix("web: ").strip()
    image.run(["mkdir", "/home/phone/app"])
    clone = Image(image.root, image.namespace, folder="/home/phone/app")
    clone.copy(".", "/home/phone/app")
    image.run(["chown", "-R", "phone", "/home/phone/app"], user="root")
    child = serve(
        ["sh", "-c", web], user="phone", folder="/home/phone/app", DATA_DIR="/home/phone/calls", PORT="5006"
    )
    assert ask(child, "http://127.0.0.1:5006/healthz") == "200"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 0


DEMO = "telephony/simulator/demo/caller.wav"


@pytest.mark.parametrize("words", [["serve"], ["call", DEMO], ["transcribe", DEMO]])
def test_without_the_local_engine_what_needs_it_says_so_in_one_line(image: Image, words: list[str]) -> None:
    child = image.start([*image.entrypoint, *words], PORT="0")
    written, _ = child.communicate(timeout=60)
    assert child.returncode == 2 and "Traceback" not in written
    assert "pip install -r requirements-local.txt" in written.splitlines()[-1]
    assert "fetching" not in written


@pytest.mark.skipif(bool(catalogue.missing()), reason="the models are not here")
async def test_a_call_is_played_where_only_speech_elsewhere_is_to_be_had(image: Image) -> None:
    """The engine of this environment stands for the cloud; the image has none of its packages."""
    image.run(["sh", "-c", f"tail -c +59 {DEMO} | head -c {8 * 8000} > /data/order.ulaw"])
    engine = await EngineProcess.start()
    try:
        words = ["call", "/data/order.ulaw", "--json", "--out", "/data/out"]
        child = image.start([*image.entrypoint, *words], DEEPGRAM_URL=engine.url, PORT="0")
        written, _ = await asyncio.to_thread(child.communicate, timeout=120)
    finally:
        await engine.stop()
    assert child.returncode == 0, written
    call = json.loads(next(line for line in written.splitlines() if line.startswith("{")))
    assert call["violations"] == [] and call["turns"]
