#!/bin/sh
# Builds hoop from this source tree and installs it: the binary, shell completions and man pages.
#
#   ./install.sh                 build and install
#   ./install.sh --demo --yes    then run the guided tour, unattended, against a private PostgreSQL
#
# What the build needs from the system is installed with the system's package manager when this runs as root or with
# sudo; otherwise the missing packages are named and nothing is changed.
set -eu

usage() {
    cat <<'USAGE'
Usage: ./install.sh [--root DIR] [--demo [--yes]] [--no-packages]
       ./install.sh --packages build|demo|tests

  --root DIR       install into DIR/bin and DIR/share (default: cargo's own place, usually ~/.cargo/bin,
                   and ~/.local/share; /usr/local/share for root)
  --demo           also install PostgreSQL's programs (no server is started by it) and run `hoop demo`
  --yes            pass --yes to the demo: it answers every question itself and ends
  --no-packages    never call the package manager; name what is missing and stop
  --packages SET   only install the system packages of SET, then stop
  --help           this text

Environment: CARGO_HOME, CARGO_TARGET_DIR, XDG_DATA_HOME.
USAGE
}

say() { printf '%s\n' "install: $*" >&2; }
die() {
    say "$1"
    shift
    for line in "$@"; do printf '         %s\n' "$line" >&2; done
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

demo=no yes=no install_root='' may_install=yes only_packages=''
while [ $# -gt 0 ]; do
    case $1 in
        --demo) demo=yes ;;
        --yes | -y) yes=yes ;;
        --no-packages) may_install=no ;;
        --root)
            [ $# -ge 2 ] || die "--root needs a folder" "./install.sh --root ~/.local"
            install_root=$2
            shift
            ;;
        --root=*) install_root=${1#--root=} ;;
        --packages)
            [ $# -ge 2 ] || die "--packages needs one of: build, demo, tests"
            only_packages=$2
            shift
            ;;
        --help | -h)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
    shift
done
case $only_packages in '' | build | demo | tests) ;; *) die "--packages takes build, demo or tests, not \`$only_packages\`" ;; esac

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here"

# --- what is there already ---------------------------------------------------------------------------------------------

any_file() {
    for candidate in "$@"; do [ -e "$candidate" ] && return 0; done
    return 1
}
have_compiler() { has cc || has gcc || has clang; }
have_c_headers() { [ "$(uname -s)" != Linux ] || any_file /usr/include/stdio.h; }
# libclang-cpp is another library, and comes alone with some packages.
have_libclang() {
    [ -z "${LIBCLANG_PATH:-}" ] || return 0
    for folder in /usr/lib/llvm-*/lib /usr/lib/*-linux-gnu* /usr/lib64 /usr/lib64/llvm*/lib* /usr/lib; do
        ! any_file "$folder"/libclang.so* "$folder"/libclang-[0-9]*.so* || return 0
    done
    any_file /opt/homebrew/opt/llvm/lib/libclang.dylib /usr/local/opt/llvm/lib/libclang.dylib \
        /Library/Developer/CommandLineTools/usr/lib/libclang.dylib
}
have_postgres() {
    has initdb || any_file /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb
}
have_pgbench() { has pgbench || any_file /usr/lib/postgresql/*/bin/pgbench; }

# Prints the wants of a set that are not met, by a name of our own.
missing_wants() {
    have_compiler || echo compiler
    have_c_headers || echo headers
    have_libclang || echo libclang
    case $1 in demo | tests)
        have_postgres || echo postgres
        has psql || echo psql
        ;;
    esac
    [ "$1" = tests ] || return 0
    have_pgbench || echo postgres
    has node || echo node
    has npm || echo npm
    has dbus-daemon || echo dbus
    has gnome-keyring-daemon || echo keyring
    has tmux || echo tmux
    has pgbouncer || any_file /usr/sbin/pgbouncer || echo pgbouncer
    has shellcheck || echo shellcheck
    any_file /usr/sbin/sshd /usr/bin/sshd /opt/homebrew/sbin/sshd || echo sshd
    has rsync || echo rsync
    has fish || echo fish
    has tcsh || echo tcsh
    has zsh || echo zsh
    has php && [ -d /usr/share/simplesamlphp ] || echo saml
    has openssl || echo openssl
    has curl || echo curl
    has jq || echo jq
    has chromium || echo chromium
    python3 -c 'import venv, ensurepip' 2>/dev/null || echo python
}

package_system() {
    for candidate in apt-get dnf pacman brew; do
        if has "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo none
}

# The package that meets a want, in the words of each package system.
package_for() {
    case $1:$2 in
        apt-get:compiler) echo gcc ;;
        apt-get:headers) echo libc6-dev ;;
        apt-get:libclang) echo libclang-dev ;;
        apt-get:postgres) echo postgresql ;;
        apt-get:psql) echo postgresql-client ;;
        apt-get:node) echo nodejs ;;
        apt-get:sshd | dnf:sshd) echo openssh-server ;;
        *:sshd) echo openssh ;;
        *:keyring) echo gnome-keyring ;;
        dnf:saml | pacman:saml | brew:saml) echo simplesamlphp ;;
        dnf:compiler) echo gcc ;;
        dnf:headers) echo glibc-devel ;;
        dnf:libclang) echo clang-devel ;;
        dnf:postgres) echo postgresql-server ;;
        dnf:psql) echo postgresql ;;
        dnf:node) echo nodejs ;;
        dnf:dbus) echo dbus-daemon ;;
        dnf:shellcheck) echo ShellCheck ;;
        dnf:python) echo python3 ;;
        pacman:compiler) echo gcc ;;
        pacman:headers) echo glibc ;;
        pacman:libclang) echo clang ;;
        pacman:postgres | pacman:psql) echo postgresql ;;
        pacman:node) echo nodejs ;;
        brew:compiler | brew:libclang) echo llvm ;;
        brew:postgres | brew:psql) echo postgresql@17 ;;
        apt-get:python) echo python3-venv ;;
        apt-get:saml) echo simplesamlphp php-cli php-xml php-mbstring php-curl php-sqlite3 ;;
        *) echo "$2" ;;
    esac
}

# --- installing packages -----------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

policy_file=/usr/sbin/policy-rc.d
policy_is_ours=no
cluster_file=/etc/postgresql-common/createcluster.d/hoop-install.conf
cluster_is_ours=no

undo_guards() {
    [ "$policy_is_ours" = no ] || as_root rm -f "$policy_file"
    [ "$cluster_is_ours" = no ] || as_root rm -f "$cluster_file"
    policy_is_ours=no cluster_is_ours=no
}

# No daemon starts because its package came: Debian asks policy-rc.d, and postgresql-common asks its configuration
# whether a new package gets a cluster. Both answers last for this installation only.
with_guards_apt() {
    trap 'undo_guards' EXIT
    trap 'exit 130' INT TERM
    if [ ! -e "$policy_file" ]; then
        policy_is_ours=yes
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy_file" >/dev/null
        as_root chmod 755 "$policy_file"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    case " $* " in
        *" postgresql "*)
            as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-common
            if [ ! -e "$cluster_file" ]; then
                cluster_is_ours=yes
                as_root mkdir -p "${cluster_file%/*}"
                printf 'create_main_cluster = false\n' | as_root tee "$cluster_file" >/dev/null
            fi
            ;;
    esac
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    undo_guards
    trap - EXIT INT TERM
}

ensure_packages() {
    wants=$(missing_wants "$1" | sort -u)
    [ -n "$wants" ] || return 0
    system=$(package_system)
    packages=''
    for want in $wants; do
        package=$(package_for "$system" "$want")
        case " $packages " in *" $package "*) ;; *) packages="$packages $package" ;; esac
    done
    packages=${packages# }
    case $system in
        apt-get) command="apt-get install --no-install-recommends $packages" ;;
        dnf) command="dnf install $packages" ;;
        pacman) command="pacman -S --needed $packages" ;;
        brew) command="brew install $packages" ;;
        *) die "no known package manager here; missing: $(echo "$wants" | tr '\n' ' ')" \
            "install a C compiler, libc headers, libclang and (for the demo) PostgreSQL, then run this again" ;;
    esac
    [ "$may_install" = yes ] || die "missing packages: $packages" "install them with: $command"
    if [ "$system" != brew ] && [ "$(id -u)" != 0 ]; then
        has sudo || die "missing packages: $packages (this is not root, and there is no sudo)" "as root: $command"
        [ -t 0 ] || sudo -n true 2>/dev/null || die "missing packages: $packages (sudo wants a password)" "as root: $command"
    fi
    say "installing: $packages"
    # The list is words on purpose.
    # shellcheck disable=SC2086
    case $system in
        apt-get) with_guards_apt $packages ;;
        dnf) as_root dnf install -y $packages ;;
        pacman) as_root pacman -S --needed --noconfirm $packages ;;
        brew) brew install $packages ;;
    esac
    wants=$(missing_wants "$1" | tr '\n' ' ')
    [ -z "$wants" ] || die "still missing after the installation: $wants" "install it by hand, then run this again"
}

# --- Rust --------------------------------------------------------------------------------------------------------------

wanted_rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

ensure_rust() {
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    if ! has cargo && [ -x "$cargo_home/bin/cargo" ]; then
        PATH="$cargo_home/bin:$PATH"
        export PATH
    fi
    has cargo || die "Rust is not installed: hoop is built from source with Rust $wanted_rust or newer" \
        "get it from https://rustup.rs:" \
        "    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal" \
        "then run this again"
    found=$(rustc --version | sed 's/^rustc \([0-9]*\.[0-9]*\).*/\1/')
    oldest=$(printf '%s\n%s\n' "$wanted_rust" "$found" | sort -t. -k1,1n -k2,2n | head -n 1)
    [ "$oldest" = "$wanted_rust" ] || die "Rust $found is too old: hoop needs $wanted_rust or newer" \
        "with rustup: rustup update stable" "otherwise see https://rustup.rs"
}

# --- the work ----------------------------------------------------------------------------------------------------------

if [ -n "$only_packages" ]; then
    ensure_packages "$only_packages"
    exit 0
fi

ensure_rust
if [ "$demo" = yes ]; then ensure_packages demo; else ensure_packages build; fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
binaries=${install_root:-$cargo_home}/bin
if [ -n "$install_root" ]; then
    shared=$install_root/share
elif [ "$(id -u)" = 0 ]; then
    shared=/usr/local/share
else
    shared=${XDG_DATA_HOME:-$HOME/.local/share}
fi

say "building hoop (about ten minutes on two cores the first time)"
cargo install --locked --force --path cli --root "${install_root:-$cargo_home}"

place() {
    mkdir -p "$2"
    cp "$1" "$2/$3"
    chmod 644 "$2/$3"
}
place completions/hoop.bash "$shared/bash-completion/completions" hoop
place completions/_hoop "$shared/zsh/site-functions" _hoop
place completions/hoop.fish "$shared/fish/vendor_completions.d" hoop.fish
for page in man/*.1; do place "$page" "$shared/man/man1" "${page##*/}"; done

say "installed $("$binaries/hoop" --version): $binaries/hoop"
say "completions and man pages are under $shared"
case ":$PATH:" in
    *":$binaries:"*) ;;
    *) say "add it to your path: export PATH=\"$binaries:\$PATH\"" ;;
esac

if [ "$demo" = yes ]; then
    if [ "$yes" = yes ]; then
        exec "$binaries/hoop" demo --yes
    fi
    exec "$binaries/hoop" demo
fi
say "next: hoop demo (a tour on this machine), or hoop init (a commented site)"
