"""s3.py FARCAST SERVER [CASE...] - what people do with a shared store in a bucket, and what servers do to them.

Each case has a bucket of its own. It prints a line with what it measured; the first that fails ends all.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import proxy as faults

FARCAST, SERVER = sys.argv[1:3]
BASE = pathlib.Path(tempfile.mkdtemp(prefix="farcast-s3."))
KEYS = {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": "secret/of+lab"}
TEXT = """data all = synthetic(regime, rows: 400)
parent net = mlp(all, inputs: [x], target: y, hidden: [3], epochs: 2, members: 2)
score skill = compare(net, on: all)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A bucket, a proxy before its server, and people with projects."""

    servers = None

    def __init__(self, name):
        self.bucket = "lab-" + name.replace("_", "-")
        self.root = BASE / "buckets"
        self.folder = self.root / self.bucket
        self.folder.mkdir(parents=True)
        if Lab.servers is None:
            port = free_port()
            keys = ["--access-key", KEYS["AWS_ACCESS_KEY_ID"], "--secret-key", KEYS["AWS_SECRET_ACCESS_KEY"]]
            command = [SERVER, "--host", "127.0.0.1", "--port", str(port), *keys, str(self.root)]
            Lab.servers = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), port
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
        self.proxy = faults.Proxy(Lab.servers[1])

    def person(self, who, text=TEXT, url=None, more="", trust=True):
        """A project that shares the bucket."""
        project = BASE / self.bucket / who
        project.mkdir(parents=True)
        url = url or f"s3://{self.bucket}/team/farcast"
        endpoint = "" if "endpoint" in more else f'endpoint = "http://127.0.0.1:{self.proxy.port}"\n'
        settings = f'[remote.team]\nurl = "{url}"\n{endpoint}mode = "read-write"\ntrust = "writers"\n{more}'
        (project / "farcast.toml").write_text(settings)
        (project / "it.farcast").write_text(text)
        if trust:
            self.fine(who, "trust", "team")
        return who

    def environment(self, who, env):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_") and "proxy" not in k.lower()}
        home = {"HOME": str(BASE / self.bucket / who), "XDG_CONFIG_HOME": str(BASE / self.bucket / who / "config")}
        return {**inherited, **home, "NO_COLOR": "1", "USER": who, **(KEYS if env is None else env)}

    def start(self, who, *args, env=None):
        return subprocess.Popen(
            [FARCAST, *args], cwd=BASE / self.bucket / who, env=self.environment(who, env), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def farcast(self, who, *args, env=None):
        """The exit code, and all that it says."""
        running = self.start(who, *args, env=env)
        out, err = running.communicate(timeout=400)
        return running.returncode, out + err

    def fine(self, who, *args, env=None):
        code, said = self.farcast(who, *args, env=env)
        assert code == 0, (who, args, code, said)
        return said

    def run(self, who, env=None):
        """How many actions ran and were cached, the notes, and the seconds."""
        began = time.monotonic()
        running = self.start(who, "run", "it.farcast", "--json", "--quiet", env=env)
        out, err = running.communicate(timeout=400)
        assert running.returncode == 0, (who, running.returncode, out, err)
        actions = json.loads(out)["actions"]
        return (actions["ran"], actions["cached"]), err, time.monotonic() - began

    def scores(self, who):
        return (BASE / self.bucket / who / "out/it/scores.parquet").read_bytes()

    def objects(self, folder="objects"):
        top = self.folder / "team/farcast" / folder
        return sorted(file for file in top.rglob("*") if file.is_file())

    def shared(self):
        """Ada has pushed her results."""
        self.person("ada")
        assert self.run("ada")[0] == (4, 0)
        self.fine("ada", "push", "it.farcast")


def equal(found, expected):
    assert found == expected, f"\nfound    {found!r}\nexpected {expected!r}"


def holds(text, *parts):
    for part in parts:
        assert part in text, f"{part!r} is not in {text!r}"


def case_used(lab):
    """What one has pushed, another does not compute."""
    lab.person("ada")
    equal(lab.run("ada")[0], (4, 0))
    equal(lab.fine("ada", "push", "it.farcast", "--dry-run")[:26], "would push 4 results to `t")
    holds(lab.fine("ada", "push", "it.farcast"), "pushed 4 results to `team`, 10 files")
    equal((lab.folder / "team/farcast/farcast-remote").read_text(), "1\n")
    holds(lab.fine("ada", "push", "last"), "pushed 0 results to `team`, 0 files, 0 B; 4 were there")
    lab.person("bob")
    lab.proxy.forget()
    ran, said, _ = lab.run("bob")
    equal((ran, said), ((0, 4), ""))
    equal(lab.scores("ada"), lab.scores("bob"))
    holds(lab.fine("bob", "plan", "it.farcast"), "cached  in `team`")
    holds(lab.fine("bob", "cache", "ls"), "shared: `team` has 4 results in 1 segment, 3 of them not here")
    asked = len(lab.proxy.asked)
    lab.proxy.forget()
    lab.run("bob")
    return f"{asked} requests the first time, {len(lab.proxy.asked)} when all is here"


def case_refused(lab):
    """Whatever is wrong is a note for a run, and an error for a push."""
    lab.shared()
    sayings = []

    def tries(who, expected, env=None, **settings):
        lab.person(who, **settings)
        ran, said, seconds = lab.run(who, env=env)
        equal(ran, (4, 0))
        holds(said, "note: `team` is away, and not looked at: `s3://", *expected)
        equal(said.count("\n"), 1)
        code, said = lab.farcast(who, "push", "it.farcast", env=env)
        equal(code, 1)
        holds(said, "error: `s3://", *expected)
        equal(lab.scores("ada"), lab.scores(who))
        sayings.append(said.strip())
        return seconds

    tries("keys", ["NotSignedUp"], env={**KEYS, "AWS_ACCESS_KEY_ID": "nobody"})
    tries("secret", ["SignatureDoesNotMatch"], env={**KEYS, "AWS_SECRET_ACCESS_KEY": "guessed"})
    tries("none", ["no credentials: set `AWS_ACCESS_KEY_ID`"], env={})
    tries("anybody", ["(AccessDenied)"], env={}, more='credentials = "none"\n')
    tries("bucket", ["there is no such bucket"], url="s3://elsewhere/team")
    (lab.folder / "thesis").mkdir()
    (lab.folder / "thesis/main.tex").write_text("")
    tries("top", ["it is not a shared store: `t"], url=f"s3://{lab.bucket}")
    lab.person("down", more=f'endpoint = "http://127.0.0.1:{free_port()}"\n')
    ran, said, seconds = lab.run("down")
    equal(ran, (4, 0))
    holds(said, "is away", "onnection refused")
    assert seconds < 15, seconds
    sayings.append(said.strip())
    (lab.folder / "team/farcast/farcast-remote").write_text("2\n")
    tries("version", ["it has the layout `2`, and this farcast knows `1`"])
    print("  " + "\n  ".join(sayings))
    return f"a server that is down costs {seconds:.1f} s"


def case_profile(lab):
    """Keys of a profile, as other programs read it."""
    lab.shared()
    lab.person("bob")
    home = BASE / lab.bucket / "bob"
    (home / ".aws").mkdir()
    secret = KEYS["AWS_SECRET_ACCESS_KEY"]
    text = f"[default]\naws_access_key_id=no\naws_secret_access_key=no\n[lab]\naws_access_key_id = lab\naws_secret_access_key = {secret}\n"
    (home / ".aws/credentials").write_text(text)
    (home / ".aws/config").write_text("[profile lab]\nregion = eu-central-1\n")
    holds(lab.run("bob", env={})[1], "NotSignedUp")
    shutil.rmtree(home / ".farcast")
    equal(lab.run("bob", env={"AWS_PROFILE": "lab"})[:2], ((0, 4), ""))
    # The server of the environment.
    lab.person("cid", trust=False)
    toml = BASE / lab.bucket / "cid/farcast.toml"
    toml.write_text(re.sub("endpoint.*\n", "", toml.read_text()))
    lab.fine("cid", "trust", "team")
    there = {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{lab.proxy.port}"}
    equal(lab.run("cid", env=there)[:2], ((0, 4), ""))
    return "of files and of the environment"


def case_tls(lab):
    """A server with a certificate, of nobody whom the machine knows, and of somebody whom it is told of."""
    if shutil.which("openssl") is None:
        return "left out, as there is no openssl"
    lab.shared()
    key, certificate = BASE / "tls.key", BASE / "tls.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=lab",
         "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = faults.Proxy(Lab.servers[1], tls=context)
    lab.person("bob", more=f'endpoint = "https://127.0.0.1:{server.port}"\n')
    ran, said, _ = lab.run("bob")
    equal(ran, (4, 0))
    holds(said, "is away, and not looked at", "ertificate")
    print("  " + said.strip())
    shutil.rmtree(BASE / lab.bucket / "bob/.farcast")
    equal(lab.run("bob", env={**KEYS, "SSL_CERT_FILE": str(certificate)})[:2], ((0, 4), ""))
    return "refused, then told of"


def case_trusted(lab):
    """Another server is another place: it is asked for again."""
    lab.shared()
    lab.person("bob")
    toml = BASE / lab.bucket / "bob/farcast.toml"
    toml.write_text(toml.read_text().replace("127.0.0.1", "localhost"))
    ran, said, _ = lab.run("bob")
    equal(ran, (4, 0))
    holds(said, "`team` is not used: `farcast trust team` lets results come from `s3://lab-trusted/team/farcast at http://localhost:")
    return "by its server"


def case_slow(lab):
    """A server that needs a fifth of a second for each answer."""
    lab.shared()
    lab.person("bob")
    lab.proxy.forget()
    lab.proxy.fault = faults.waits(0.2)
    ran, said, seconds = lab.run("bob")
    equal((ran, said), ((0, 4), ""))
    return f"{seconds:.1f} s for {len(lab.proxy.asked)} requests"


def case_faulty(lab):
    """A server with passing faults."""
    lab.shared()
    lab.person("bob")
    lab.proxy.fault = faults.refuses(503, "SlowDown", times=3)
    began = time.monotonic()
    equal(lab.run("bob")[:2], ((0, 4), ""))
    seconds = time.monotonic() - began
    # Cut in the middle of an object.
    lab.person("cid")
    left = [2]

    def cuts(request, body):
        if "objects/" not in request.path or left[0] == 0:
            return False
        left[0] -= 1
        status, headers, read = lab.proxy.passed(request, body)
        request.reply(status, headers, read, cut=len(read) // 2)
        return True

    lab.proxy.fault = cuts
    equal(lab.run("cid")[:2], ((0, 4), ""))
    equal(left, [0])
    lab.person("dan")
    lab.proxy.fault = None
    lab.run("dan")
    (BASE / lab.bucket / "dan/it.farcast").write_text(TEXT.replace("[3]", "[4]"))
    lab.run("dan")
    lab.proxy.fault = faults.refuses(500, "InternalError", times=3, method="PUT")
    lab.fine("dan", "push", "it.farcast")
    return f"three times `SlowDown` cost {seconds:.1f} s"


def case_outage(lab):
    """A server that goes away for good: one note, and the run goes on."""
    lab.shared()
    said = []
    for who, fault, words in [
        ("errors", faults.refuses(503, "ServiceUnavailable"), "ServiceUnavailable"),
        ("denies", faults.refuses(403, "AccessDenied"), "AccessDenied"),
        ("drops", faults.drops, ""),
        ("page", lambda request, _: request.reply(200, [], b"<html>\x1b[31m log in</html>") or True, ""),
        ("redirect", lambda request, _: request.reply(301, [], b"<Code>PermanentRedirect</Code>") or True, ""),
    ]:
        lab.person(who)
        lab.proxy.fault = fault
        ran, note, seconds = lab.run(who)
        equal(ran, (4, 0))
        equal(note.count("\n"), 1)
        holds(note, "note: `team` is away, and not looked at", words)
        assert "\x1b" not in note, note
        equal(lab.scores("ada"), lab.scores(who))
        assert seconds < 30, seconds
        said.append(f"{who} {seconds:.1f} s")
        print("  " + note.strip())
    # After the listing, while objects are fetched.
    lab.person("middle")
    lab.proxy.fault = lambda request, _: "objects/" in request.path and faults.drops(request, _)
    note = lab.fine("middle", "run", "it.farcast")
    print("  " + note.replace("\n", "\n  "))
    holds(note, "`team` is away (", "what it would have given is computed here")
    equal(lab.scores("ada"), lab.scores("middle"))
    said.append(f"middle {seconds:.1f} s")
    # A server that takes requests and never answers.
    lab.person("silent")
    lab.proxy.fault = faults.silent
    ran, note, seconds = lab.run("silent")
    equal(ran, (4, 0))
    holds(note, "note: `team` is away, and not looked at")
    assert seconds < 60, seconds
    said.append(f"silent {seconds:.1f} s")
    print("  " + note.strip())
    return ", ".join(said)


def case_read_only(lab):
    """Who may only read: runs use it, and a push says so."""
    lab.shared()
    lab.person("bob")
    lab.proxy.fault = faults.refuses(403, "AccessDenied", method="PUT", message="Access Denied")
    equal(lab.run("bob")[:2], ((0, 4), ""))
    (BASE / lab.bucket / "bob/it.farcast").write_text(TEXT.replace("[3]", "[4]"))
    lab.run("bob")
    code, said = lab.farcast("bob", "push", "it.farcast")
    equal(code, 1)
    holds(said, "you may not write to `team`: Access Denied (AccessDenied)")
    return said.strip()


def case_damaged(lab):
    """Damaged objects and forged segments are not used; the next push mends."""
    lab.shared()
    for file in lab.objects():
        read = bytearray(file.read_bytes())
        read[len(read) // 2] ^= 1
        file.write_bytes(read)
    lab.person("bob")
    equal(lab.run("bob")[0], (4, 0))
    equal(lab.scores("ada"), lab.scores("bob"))
    holds(lab.fine("bob", "push", "it.farcast"), "4 damaged files of `team` are mended")
    lab.person("cid")
    equal(lab.run("cid")[:2], ((0, 4), ""))
    (segment,) = lab.objects("segments")
    read = bytearray(segment.read_bytes())
    read[-1] ^= 1
    segment.write_bytes(read)
    lab.person("dan")
    ran, said, _ = lab.run("dan")
    equal(ran, (4, 0))
    holds(said, "is damaged: it is not used")
    # Larger than anybody would want.
    for file in lab.objects():
        with open(file, "ab") as grown:
            grown.truncate(200 << 20)
    segment.write_bytes(bytes(read[:-1]) + bytes([read[-1] ^ 1]))
    lab.person("eve")
    equal(lab.run("eve")[0], (4, 0))
    return "flipped, forged, grown to 200 MB"


def case_together(lab):
    """Many who write at once, into a bucket that nobody has marked."""
    people = [f"p{number}" for number in range(4)]
    for number, who in enumerate(people):
        lab.person(who, text=TEXT.replace("[3]", f"[{number + 3}]"))
        lab.run(who)
    running = [lab.start(who, "push", "--all") for who in people]
    for push in running:
        out, err = push.communicate(timeout=400)
        equal((push.returncode, out), (0, ""))
        holds(err, "pushed 4 results to `team`")
    equal(len(lab.objects("segments")), 4)
    equal((lab.folder / "team/farcast/farcast-remote").read_text(), "1\n")
    for number in range(4):
        who = lab.person(f"q{number}", text=TEXT.replace("[3]", f"[{number + 3}]"))
        equal(lab.run(who)[:2], ((0, 4), ""))
    return "4 writers, 4 segments"


def case_versions(lab):
    """Who marks the place first says its layout; the other one does not write."""
    lab.person("ada")
    lab.run("ada")
    mark = lab.folder / "team/farcast/farcast-remote"

    def another(request, _):
        if request.command == "PUT" and not mark.exists():
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_text("2\n")
        return False

    lab.proxy.fault = another
    code, said = lab.farcast("ada", "push", "it.farcast")
    # A server without conditions lets the last one mark it.
    if mark.read_text() == "2\n":
        equal(code, 1)
        holds(said, "it has the layout `2`")
        return "If-None-Match"
    return f"the server has no conditions: {said.strip()}"


def case_conditions(lab):
    """A server that knows no conditions is written to without."""
    lab.person("ada")
    lab.run("ada")

    def unknown(request, body):
        if request.headers.get("if-none-match") is None:
            return False
        return faults.refuses(501, "NotImplemented")(request, body)

    lab.proxy.fault = unknown
    lab.fine("ada", "push", "it.farcast")
    equal((lab.folder / "team/farcast/farcast-remote").read_text(), "1\n")
    lab.person("bob")
    equal(lab.run("bob")[:2], ((0, 4), ""))
    return "501"


def case_killed(lab):
    """A push that is killed after each of its requests loses nothing."""
    lab.person("ada")
    lab.run("ada")
    kills = 0
    for after in range(1, 7):
        seen = [0]
        running = []

        def kill(request, body):
            if request.command != "PUT":
                return False
            seen[0] += 1
            if seen[0] == after:
                running[0].send_signal(signal.SIGKILL)
                return True
            return False

        lab.proxy.fault = kill
        push = lab.start("ada", "push", "it.farcast")
        running.append(push)
        push.communicate(timeout=400)
        kills += push.returncode == -signal.SIGKILL
        lab.proxy.fault = None
        who = lab.person(f"p{after}")
        ran, said, _ = lab.run(who)
        equal(ran[0] + ran[1], 4)
        equal(lab.scores("ada"), lab.scores(who))
    lab.proxy.forget()
    lab.fine("ada", "push", "it.farcast")
    lab.person("bob")
    equal(lab.run("bob")[:2], ((0, 4), ""))
    assert kills >= 3, kills
    return f"{kills} kills"


def case_large(lab):
    """Objects that are sent in parts; one that breaks off is not there."""
    text = TEXT.replace("hidden: [3], epochs: 2, members: 2", "hidden: [1800, 1400], epochs: 1, members: 1")
    lab.person("ada", text=text)
    lab.run("ada")
    lab.proxy.fault = lambda request, body: "partNumber=2" in request.path and faults.refuses(403, "AccessDenied")(request, body)
    code, said = lab.farcast("ada", "push", "it.farcast")
    equal(code, 1)
    assert max(file.stat().st_size for file in lab.objects()) < 8 << 20
    lab.proxy.fault = None
    lab.proxy.forget()
    lab.fine("ada", "push", "it.farcast")
    largest = max(file.stat().st_size for file in lab.objects())
    parts = lab.proxy.count("PUT", "partNumber")
    assert parts >= 2, parts
    lab.person("bob", text=text)
    equal(lab.run("bob")[:2], ((0, 3), ""))
    # What the weights are is fetched, too.
    lab.fine("bob", "pack", "last", "--results", "-o", "it.zip")
    return f"{largest / 1e6:.1f} MB in {parts} parts"


def case_layout(lab):
    """The layout is that of a folder, so one can be copied to the other."""
    lab.shared()
    copy = BASE / lab.bucket / "copy"
    for folder in ["farcast-remote", "objects", "segments"]:
        there = lab.folder / "team/farcast" / folder
        copy.mkdir(exist_ok=True)
        (shutil.copytree if there.is_dir() else shutil.copy)(there, copy / folder)
    lab.person("bob", url=str(copy), more="# no endpoint\n")
    equal(lab.run("bob")[:2], ((0, 4), ""))
    return "a folder copied from the bucket"


def case_gc(lab):
    """What no record names goes after a week."""
    lab.shared()
    name = "ab" * 32
    for folder, days in [("ab", 8), ("ac", 6)]:
        file = lab.folder / "team/farcast/objects" / folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("forgotten")
        old = time.time() - days * 24 * 3600
        os.utime(file, (old, old))
    for file in lab.objects():
        if file.name != name:
            os.utime(file, (time.time() - 30 * 24 * 3600,) * 2)
    before = len(lab.objects())
    holds(lab.fine("ada", "cache", "gc", "--remote", "team", "--dry-run"), "would remove 1 file, 9 B, from `team`")
    holds(lab.fine("ada", "cache", "gc", "--remote", "team"), "removed 1 file, 9 B, from `team`")
    equal(len(lab.objects()), before - 1)
    lab.person("bob")
    equal(lab.run("bob")[:2], ((0, 4), ""))
    return "1 file"


def main():
    sys.stdout.reconfigure(line_buffering=True)
    cases = {name[5:]: case for name, case in globals().items() if name.startswith("case_")}
    try:
        for name in sys.argv[3:] or cases:
            began = time.monotonic()
            print(f"{name}: {cases[name](Lab(name))}  [{time.monotonic() - began:.1f} s]")
    finally:
        if Lab.servers is not None:
            Lab.servers[0].kill()
        shutil.rmtree(BASE, ignore_errors=True)


main()
