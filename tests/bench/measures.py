"""What is measured of one way: pgbench, COPY, new connections, idle ones. CPU and memory are those of its processes."""
import base64
import concurrent.futures
import hashlib
import hmac
import os
import pathlib
import re
import resource
import secrets
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid, with_children=False):
    """Seconds in the program and in the kernel."""
    fields = [int(field) for field in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]]
    children = fields[2:] if with_children else (0, 0)
    return (fields[0] + children[0]) / TICKS, (fields[1] + children[1]) / TICKS


def cpu_seconds(pids):
    return sum(map(sum, map(cpu_of, pids)))


def everybody(cluster, way):
    """The CPU of everyone on the way: ours from the client's side on, the server with its backends, the client."""
    client = resource.getrusage(resource.RUSAGE_CHILDREN)
    ours = [cpu_of(pid) for pid in reversed(way.pids)]
    return [(client.ru_utime, client.ru_stime), *ours, cpu_of(cluster.server.pid, with_children=True)]


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


def run_pgbench(cluster, way, clients, seconds, extra=(), patient=False):
    """tps, median latency in µs and our CPU in µs a transaction."""
    logs = cluster.world.folder / "logs"
    logs.mkdir(exist_ok=True)
    for old in logs.glob("latency.*"):
        old.unlink()
    before, all_before = cpu_seconds(way.pids), everybody(cluster, way)
    result = subprocess.run(
        [cluster.programs / "pgbench", "-n", *cluster.script, "-M", cluster.mode, "-c", str(clients), "-j", str(min(2, clients)), "-T",
         str(seconds), "-l", "--sampling-rate", "0.2", "--log-prefix", logs / "latency", *extra, *way.address(), way.database],
        env=way.environment(cluster.world), capture_output=True, text=True, timeout=seconds + 60)
    used = cpu_seconds(way.pids) - before
    tps = re.search(r"tps = ([\d.]+) \(", result.stdout)
    count = re.search(r"actually processed: (\d+)", result.stdout)
    if not result.returncode and not tps and not patient:
        # A busy machine: nobody's login was over in that time.
        return run_pgbench(cluster, way, clients, 4 * seconds, extra, patient=True)
    if result.returncode or not tps:
        sys.exit(f"bench: pgbench failed by way of {way.name} (status {result.returncode}): {(result.stdout + result.stderr)[-1200:]}")
    time.sleep(0.2)  # the backends' CPU counts once the server has reaped them
    shares = [(user - user_was, system - system_was) for (user, system), (user_was, system_was)
              in zip(everybody(cluster, way), all_before)]
    latencies = sorted(int(line.split()[2]) for path in logs.glob("latency.*") for line in path.open())
    done = max(1, int(count[1]))
    return {"tps": float(tps[1]), "latency": statistics.median(latencies) if latencies else float("nan"), "cpu": used / done * 1e6,
            "shares": [part / done * 1e6 for share in shares for part in share]}


def run_connections(cluster, way, seconds):
    """A new connection for each SELECT."""
    return run_pgbench(cluster, way, 4, seconds, ["-C"])


def run_copy(cluster, way, query):
    """Seconds and CPU ms of a COPY; the message where it is refused."""
    before, began = cpu_seconds(way.pids), time.monotonic()
    result = subprocess.run([cluster.programs / "psql", "-XqAt", *way.address(), "-d", way.database, "-c", f"copy ({query}) to stdout"],
                            env=way.environment(cluster.world), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=180)
    if result.returncode:
        return {"refused": result.stderr.strip().splitlines()[0][:200]}
    return {"seconds": time.monotonic() - began, "cpu": (cpu_seconds(way.pids) - before) * 1e3}


class Idle:
    """A client that has started its session, ran `select 1` and says nothing more."""

    salted = {}

    def __init__(self, way):
        self.wire = socket.create_connection(("127.0.0.1", way.port), timeout=60)
        if way.libpq.get("PGSSLMODE", "disable") != "disable":
            self.wire.sendall(struct.pack(">II", 8, 80877103))
            if self.wire.recv(1) != b"S":
                sys.exit(f"bench: {way.name} does not speak TLS")
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.wire = context.wrap_socket(self.wire)
        words = b"\0".join([b"user", way.user.encode(), b"database", way.database.encode(), b"", b""])
        self.wire.sendall(struct.pack(">II", len(words) + 8, 3 << 16) + words)
        self.until_ready(way)
        self.send(b"Q", b"select 1\0")
        self.until_ready(way)

    def send(self, tag, body):
        self.wire.sendall(tag + struct.pack(">I", len(body) + 4) + body)

    def read(self, count):
        data = b""
        while len(data) < count:
            more = self.wire.recv(count - len(data))
            if not more:
                sys.exit("bench: an idle connection was refused")
            data += more
        return data

    def until_ready(self, way):
        nonce = first = None
        while True:
            tag, length = struct.unpack(">cI", self.read(5))
            body = self.read(length - 4)
            if tag == b"Z":
                return
            if tag == b"E":
                sys.exit(f"bench: an idle connection by way of {way.name} was refused: {body!r}")
            kind = struct.unpack(">I", body[:4])[0] if tag == b"R" else None
            if kind == 3:
                self.send(b"p", way.password.encode() + b"\0")
            elif kind == 10:
                nonce = secrets.token_urlsafe(18)
                first = f"n=,r={nonce}"
                answer = f"n,,{first}".encode()
                self.send(b"p", b"SCRAM-SHA-256\0" + struct.pack(">I", len(answer)) + answer)
            elif kind == 11:
                self.send(b"p", self.proof(way.password, first, body[4:].decode()))

    def proof(self, password, first, challenge):
        """SPEC: RFC 5802, without channel binding."""
        words = dict(part.split("=", 1) for part in challenge.split(","))
        key = (password, words["s"], words["i"])
        if key not in self.salted:
            self.salted[key] = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(words["s"]), int(words["i"]))
        client = hmac.digest(self.salted[key], b"Client Key", "sha256")
        final = f"c=biws,r={words['r']}"
        signature = hmac.digest(hashlib.sha256(client).digest(), f"{first},{challenge},{final}".encode(), "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client, signature))).decode()
        return f"{final},p={proof}".encode()


def weigh_idle(way, count):
    """KiB that each of many idle connections adds to each process of a way, gateway first."""
    before = [resident_kib(pid) for pid in way.pids]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: Idle(way), range(count)))
    weights = [(resident_kib(pid) - was) / count for pid, was in zip(way.pids, before)]
    for client in clients:
        client.wire.close()
    return weights
