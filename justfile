# `just check` is what CI runs. Every recipe is a plain command; just is a convenience, not a need.

# Everything: formatting, lints, bans, tests, stories, documentation, generated files.
check:
    ./tests/run

# The fast inner loop: types and lints only.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The stories against a real PostgreSQL; a word filters them: `just stories mask`.
stories *filter:
    ./tests/run --only stories {{filter}}

# Rewrites what is generated from the binary: completions, man pages, the policy schema.
generate:
    ./tests/generate

# The guided tour on this machine.
demo:
    cargo run --locked --package hoop -- demo

# Throughput and latency against a bare copy and a bare TLS copy.
bench *options:
    ./tests/bench/run {{options}}
