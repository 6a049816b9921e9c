"""The ways to the private PostgreSQL: straight, the bare copies, other people's proxies, and hoop. A way is a port,
what libpq needs to know beside it, and the processes whose CPU and memory are charged to it."""
import html.parser
import json
import shutil
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request

from world import PASSWORD, free_port, wait_line, wait_port


class Way:
    """One way to the server."""

    def __init__(self, name, port, pids=(), **libpq):
        self.name, self.port, self.pids = name, port, list(pids)
        self.user, self.database = libpq.pop("user", "bench"), libpq.pop("database", "bench")
        self.password, self.libpq = libpq.pop("password", PASSWORD), libpq

    @property
    def is_hoop(self):
        return self.name.startswith(("native", "tunnel"))

    def environment(self, world):
        words = {"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "20", "PGSSLMODE": "disable", "PGGSSENCMODE": "disable"}
        return world.environment | words | self.libpq

    def address(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", self.user]


MASKED = """
@id("personal-values-are-masked")
@mask("partial")
forbid(principal, action == Action::"reveal", resource in DataClass::"pii");
"""


def write_site(folder, cluster, arguments, native):
    """A site with everything on: two tagged columns, and detectors on whatever else is read."""
    (folder / "policies").mkdir(parents=True)
    port = free_port()
    (folder / "gateway.toml").write_text(
        f'listen = "127.0.0.1:{port}"\npublic_url = "https://127.0.0.1:{port}"\ndata_dir = "{folder}/data"\n')
    listen = f'listen = "127.0.0.1:{native}"\nauth = "jwt"\n' if native else ""
    (folder / "connections.toml").write_text(
        f'[[connection]]\nname = "bench"\nkind = "postgres"\nupstream = "127.0.0.1:{cluster.port}"\ndatabase = "bench"\n{listen}'
        f'\n[connection.credential]\ntype = "password"\nusername = "bench"\n'
        f'secret = "file:{cluster.world.folder}/secret"\n')
    tagged = "".join(f'[[column]]\nconnection = "bench"\ncolumns = ["public.people.{column}"]\ntag = "{tag}"\n\n'
                     for column, tag in (("email", "email"), ("phone", "phone")))
    (folder / "masking.toml").write_text("" if arguments.plain else tagged)
    (folder / "policies" / "bench.cedar").write_text(
        '@id("bench")\npermit(principal in Group::"engineers", action, resource);\n' + ("" if arguments.plain else MASKED))


class Forms(html.parser.HTMLParser):
    """The fields of the first form of a page."""

    def __init__(self):
        super().__init__()
        self.action, self.fields, self.open = None, {}, False

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.open = given.get("action", ""), True
        elif self.open and tag in ("input", "button") and given.get("name"):
            self.fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag):
        self.open = self.open and tag != "form"


def confirm_login(address, secret, folder):
    """Plays alice's browser on the development provider's page."""
    authority = folder / "state" / "hoop" / "dev" / str(urllib.parse.urlsplit(address).port) / "ca.pem"
    context = ssl.create_default_context(cafile=authority)
    browser = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor())
    response = browser.open(address, timeout=20)
    for _ in range(6):
        page, url = response.read().decode(), response.geturl()
        form = Forms()
        form.feed(page)
        if form.action is None:
            return
        typed = {"user": "alice", "login": "alice", "username": "alice", "person": "alice", "name": "alice", "secret": secret}
        fields = {name: typed.get(name, value) for name, value in form.fields.items()}
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(url))
        response = browser.open(urllib.request.Request(
            urllib.parse.urljoin(url, form.action), urllib.parse.urlencode(fields).encode(), {"Origin": origin}), timeout=20)


def open_hoop(world, hoop, cluster, durability, arguments, wanted):
    """A gateway of one durability, with its native port and a tunnel to it, as far as they are wanted."""
    suffix = "" if durability == "relaxed" else "-strict"
    # A build without a native port measures the rest.
    if subprocess.run([hoop, "token", "--help"], capture_output=True).returncode:
        print("bench: this hoop has no native port; left out", file=sys.stderr)
        wanted = [name for name in wanted if not name.startswith("native")]
    native = free_port() if f"native{suffix}" in wanted else None
    site = world.folder / f"site-{durability}"
    write_site(site, cluster, arguments, native)
    gateway = world.start(f"gateway-{durability}", [hoop, "gateway", "run", "--dev", "--durability", durability,
                                                    "--ready-file", site / "ready", site])
    secret = wait_line(gateway, r"secret:\s*(\S+)")
    url = wait_line(gateway, r"(https://127\.0\.0\.1:\d+)")
    client = {"HOOP_GATEWAY": url, "HOOP_CONFIG_HOME": str(world.folder / f"config-{durability}")}
    login = world.start(f"login-{durability}", [hoop, "login", "--no-browser"], environment=client)
    confirm_login(wait_line(login, r"(https://\S+user_code=\S+)"), secret, world.folder)
    if login.wait(60):
        sys.exit(f"bench: the login failed: {''.join(filter(None, login.lines))}")
    if native:
        # Many connections show one credential: the login's own token, in clear inside TLS.
        stored = next(world.folder.rglob(f"*_{urllib.parse.urlsplit(url).port}.token"))
        yield Way(f"native{suffix}", native, [gateway.pid], user="alice", password=json.loads(stored.read_text())["token"],
                  PGSSLMODE="require")
    if f"tunnel{suffix}" in wanted:
        port = free_port()
        tunnel = world.start(f"tunnel-{durability}", [hoop, "connect", "bench", "--port", port, "--output", "jsonl"], environment=client)
        wait_line(tunnel, rf"\b{port}\b")
        yield Way(f"tunnel{suffix}", port, [gateway.pid, tunnel.pid])


def open_pgbouncer(world, cluster):
    port = free_port()
    users, config = world.folder / "pgbouncer-users.txt", world.folder / "pgbouncer.ini"
    users.write_text(f'"bench" "{PASSWORD}"\n')
    config.write_text(
        f"[databases]\nbench = host=127.0.0.1 port={cluster.port} dbname=bench user=bench password={PASSWORD}\n"
        f"[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\nauth_type=trust\nauth_file={users}\npool_mode=session\n"
        "max_client_conn=2000\ndefault_pool_size=1200\nunix_socket_dir=\nlogfile=\npidfile=\nlog_connections=0\n"
        "log_disconnections=0\nserver_tls_sslmode=disable\nignore_startup_parameters=extra_float_digits\n")
    process = world.start("pgbouncer", ["pgbouncer", config], user=cluster.user)
    wait_line(process, "process up")
    return Way("pgbouncer", port, [process.pid])


def open_haproxy(world, cluster):
    port = free_port()
    config = world.folder / "haproxy.cfg"
    config.write_text(
        "global\n maxconn 4000\n nbthread 2\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 10m\n timeout server 10m\n"
        f"listen bench\n bind 127.0.0.1:{port}\n server bench 127.0.0.1:{cluster.port} maxconn 4000\n")
    process = world.start("haproxy", ["haproxy", "-db", "-f", config])
    wait_port(port)
    return Way("haproxy", port, [process.pid])


def open_ways(world, hoop, floor, cluster, arguments):
    wanted = arguments.only
    ways = [Way("direct", cluster.port)]
    upstream = f"127.0.0.1:{cluster.port}"

    def copy(name, mode, target, *more):
        port = free_port()
        process = world.start(name, [floor, mode, f"127.0.0.1:{port}", target, *more])
        wait_line(process, "listening")
        return port, process.pid

    if "tcp" in wanted:
        port, pid = copy("tcp", "tcp", upstream)
        ways.append(Way("tcp", port, [pid]))
    if "two-hop" in wanted:
        certificate = world.folder / "floor.pem"
        inner, far = copy("two-hop-far", "far", upstream, certificate)
        port, near = copy("two-hop-near", "near", f"127.0.0.1:{inner}", certificate)
        ways.append(Way("two-hop", port, [far, near]))
    for name, opens in (("pgbouncer", open_pgbouncer), ("haproxy", open_haproxy)):
        if name not in wanted:
            continue
        if shutil.which(name) or shutil.which(name, path="/usr/sbin"):
            ways.append(opens(world, cluster))
        else:
            print(f"bench: {name} is not installed; left out", file=sys.stderr)
    for durability, names in (("relaxed", ("native", "tunnel")), ("strict", ("native-strict", "tunnel-strict"))):
        if any(name in wanted for name in names):
            ways.extend(open_hoop(world, hoop, cluster, durability, arguments, wanted))
    return ways
