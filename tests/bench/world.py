"""What runs beside a bench: a folder, processes that end in order, a private PostgreSQL. Knows nothing of what is measured."""
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess
import sys
import threading
import time

PASSWORD = "bench-password-of-the-upstream"


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def find_programs():
    places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    places += [pathlib.Path(part) for part in os.environ["PATH"].split(":")]
    for place in places:
        if all((place / name).exists() for name in ("initdb", "postgres", "pgbench")):
            return place
    sys.exit("bench: PostgreSQL's programs are not installed; ./install.sh --packages tests")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    """Everything that runs, ended in reverse order whatever happens."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "HOOP_"))}
        for name in ("config", "state", "share", "run"):
            (folder / name).mkdir(mode=0o700)
        self.environment |= {
            "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "XDG_STATE_HOME": str(folder / "state"),
            "XDG_DATA_HOME": str(folder / "share"), "XDG_RUNTIME_DIR": str(folder / "run"),
            "HOOP_TOKEN_STORE": "file", "HOOP_NO_INPUT": "1", "TERM": "dumb", "CARGO_HOME": os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo")),
        }

    def start(self, name, command, user=None, environment=None):
        """Starts it and gives it back with its lines as they come."""
        log = open(self.folder / f"{name}.log", "w")
        extra = {}
        if user:
            extra = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, cwd="/", env=self.environment | (environment or {}), **extra)
        process.lines, process.grew = [], threading.Condition()

        def follow():
            for line in process.stdout:
                log.write(line)
                log.flush()
                with process.grew:
                    process.lines.append(line)
                    process.grew.notify_all()
            with process.grew:
                process.lines.append(None)
                process.grew.notify_all()

        threading.Thread(target=follow, daemon=True).start()
        self.processes.append(process)
        process.name = name
        return process

    def end(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()


def wait_port(port, seconds=20):
    """Returns when something listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                sys.exit(f"bench: nothing listens at port {port}")


def wait_line(process, pattern, seconds=60):
    """The first match among its lines; the bench ends if it never comes."""
    deadline, seen = time.monotonic() + seconds, 0
    with process.grew:
        while True:
            for line in process.lines[seen:]:
                seen += 1
                found = line and re.search(pattern, line)
                if found:
                    return found.group(1) if found.groups() else found.group(0)
                if line is None:
                    sys.exit(f"bench: {process.name} ended:\n{''.join(filter(None, process.lines))}")
            if not process.grew.wait(deadline - time.monotonic()):
                sys.exit(f"bench: {process.name} never said {pattern}:\n{''.join(filter(None, process.lines))}")


class Cluster:
    def __init__(self, world, rows):
        self.programs, self.port = find_programs(), free_port()
        user = None
        if os.geteuid() == 0:
            user = next(pwd.getpwnam(n) for n in ("postgres", "nobody") if n in {p.pw_name for p in pwd.getpwall()})
        self.user = user
        home = world.folder / "postgres"
        home.mkdir()
        if user:
            os.chown(home, user.pw_uid, user.pw_gid)
            os.chmod(world.folder, 0o711)
        drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        self.socket, self.world = home, world
        subprocess.run(
            [self.programs / "initdb", "--no-sync", "--locale=C", "-E", "UTF8", "-U", "postgres", "--auth-local=trust",
             "--auth-host=scram-sha-256", "-D", home / "data"],
            check=True, stdout=subprocess.DEVNULL, cwd="/", env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **drop)
        with open(home / "data" / "postgresql.auto.conf", "w") as file:
            file.write(
                f"listen_addresses='127.0.0.1'\nport={self.port}\nunix_socket_directories='{home}'\nmax_connections=2600\n"
                "shared_buffers=512MB\nsynchronous_commit=off\nautovacuum=off\njit=off\nmax_wal_size=4GB\nlog_min_messages=warning\n")
        self.server = server = world.start("postgres", [self.programs / "postgres", "-D", home / "data"], user=user,
                             environment={"LC_ALL": "C"})
        deadline = time.monotonic() + 30
        while subprocess.run([self.programs / "pg_isready", "-q", "-h", home, "-p", str(self.port)]).returncode:
            if time.monotonic() > deadline or server.poll() is not None:
                sys.exit(f"bench: PostgreSQL did not start: {server.lines}")
        self.sql("postgres", f"create role bench login password '{PASSWORD}'; ")
        self.sql("postgres", "create database bench owner bench")
        (world.folder / "secret").write_text(PASSWORD)
        os.chmod(world.folder / "secret", 0o600)
        # Clients of every way but hoop's show this password; the gateway has its own copy.
        subprocess.run([self.programs / "pgbench", "-q", "-i", "-s", str(max(1, rows // 100000)), "-h", "127.0.0.1", "-p",
                        str(self.port), "-U", "bench", "bench"], check=True, env=world.environment | {"PGPASSWORD": PASSWORD},
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        people = (f"create table people as select n id, 'Person ' || n as name, 'person' || n || '@example.com' as email, "
                  f"'+1 555 ' || lpad((n % 10000)::text, 4, '0') as phone from generate_series(1, {rows}) n")
        self.sql("bench", people)
        self.sql("bench", "alter table people owner to bench; vacuum analyze; checkpoint")

    def sql(self, database, text):
        for statement in filter(None, (part.strip() for part in text.split(";"))):
            subprocess.run([self.programs / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket, "-p", str(self.port), "-U",
                            "postgres", "-d", database, "-c", statement], check=True, stdout=subprocess.DEVNULL)
